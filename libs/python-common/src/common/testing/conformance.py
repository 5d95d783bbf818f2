"""Code held to its OpenAPI document by schemathesis: every operation, valid and invalid requests.

A valid request has to be understood, an invalid one refused, every answer has to be as promised,
and nothing may end in a 5xx that is not promised. A service's test module::

    schema = conformance.contract_of("cart")

    @conformance.every_operation(schema, Role.CUSTOMER, Role.GUEST)
    def test_every_operation_keeps_its_contract(case: Case, app: Flask, role: Role) -> None:
        conformance.hold(case, app, role)
"""

import math
import os
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis import BaseSchema, Case, CheckContext, Response
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from common.auth import Role
from common.testing.contracts import document_of
from common.testing.environment import bearer

# Of each operation and role; more by environment, for a night.
EXAMPLES_MAX = int(os.environ.get("CONFORMANCE_EXAMPLES", "15"))
# Seeded by the test's name, so that a failure comes again; big examples are slow to make, not bad.
SETTINGS = settings(
    max_examples=EXAMPLES_MAX,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# Somebody who owns nothing.
SUBJECT = "0190b1c5-0000-7000-8000-000000000001"
# Rules that JSON Schema has no word for, as our validators say them.
UNSAYABLE = ("only once", "at most", "not a valid email address")
# Bodies that are text: whatever the schema forbids, `null` as much, arrives as some text or other.
TEXTS = frozenset({"text/csv", "application/x-ndjson"})
MALFORMED = "/problems/malformed"


class NotUnderstood(AssertionError):
    """A request that the contract calls valid was answered as malformed."""


class Target:
    """The WSGI application of the moment: schemathesis wants one before fixtures exist."""

    app: Flask

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        return self.app.wsgi_app(environ, start_response)


def contract_of(service: str) -> BaseSchema:
    """The committed contract; `hold` says which application its requests go to."""
    document = document_of(service)
    document["servers"] = [{"url": "http://localhost"}]
    schema = schemathesis.openapi.from_dict(document)
    schema.app = Target()
    schema.hook("map_body")(_whole_numbers)
    return schema


def every_operation(schema: BaseSchema, *roles: Role) -> Callable[[Any], Any]:
    """Marks a test of one `case`: each operation of *schema*, by each `role`."""

    def decorate(test: Any) -> Any:
        return pytest.mark.parametrize("role", roles)(schema.parametrize()(SETTINGS(test)))

    return decorate


def hold(case: "Case[Any]", app: Flask, role: Role) -> None:
    """Send *case* as somebody of *role*, and check the answer against the contract.

    Raises schemathesis' FailureGroup, which names every fault, and AssertionError where the type
    of a problem leads to no page (RFC 9457 §3.1.1).
    """
    case.operation.app.app = app
    # What is valid by the schema may still meet a rule: `_understood` is the check for that.
    excluded: list[Any] = [checks.positive_data_acceptance]
    if case.media_type in TEXTS:
        excluded.append(checks.negative_data_rejection)
    answer = case.call_and_validate(
        headers=bearer(role, SUBJECT),
        excluded_checks=excluded,
        additional_checks=[_understood],
    )
    if answer.headers.get("content-type") == ["application/problem+json"]:
        type_ = answer.json()["type"]
        page = app.test_client().get(type_)
        assert type_ == "about:blank" or page.status_code == 200, f"nothing is served at {type_}"


def _understood(_: CheckContext, response: Response, case: "Case[Any]") -> bool | None:
    meta = case.meta
    if meta is None or meta.generation.mode is not GenerationMode.POSITIVE:
        return None
    answer = response.json() if response.status_code == 400 else {}
    details = [fault["detail"] for fault in answer.get("errors", [])]
    if answer.get("type") == MALFORMED and not all(map(_is_unsayable, details)):
        raise NotUnderstood(f"{case.operation.label}: the contract allows it, yet: {details}")
    return None


def _is_unsayable(detail: str) -> bool:
    return any(words in detail for words in UNSAYABLE)


def _whole_numbers(_: Any, body: Any) -> Any:
    """JSON Schema calls 2.0 an integer; for us it is a float, and an amount is never one."""
    if isinstance(body, dict):
        return {name: _whole_numbers(None, part) for name, part in body.items()}
    if isinstance(body, list):
        return [_whole_numbers(None, part) for part in body]
    if isinstance(body, float) and math.isfinite(body) and body.is_integer():
        return int(body)
    return body
