"""What is promised under contract/ and docs/problems is what the code does."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import yaml
from common import errors, problems
from common.db import Database
from common.testing import published
from flask import Flask
from flask.testing import FlaskClient
from payment import domain
from payment.domain import PaymentStatus

if TYPE_CHECKING:
    from conftest import Checkout

SERVICE = Path(__file__).parents[1]
PROBLEMS = SERVICE.parents[1] / "docs" / "problems"
CONTRACT: dict[str, Any] = yaml.safe_load((SERVICE / "contract" / "openapi.yaml").read_text())
EVENTS = {
    path.name.removesuffix(".v1.json"): json.loads(path.read_text())
    for path in (SERVICE / "contract" / "events").glob("*.json")
}
TYPES: dict[str, type] = {"string": str, "integer": int, "boolean": bool}


def test_the_paths_promised_are_the_paths_served(app: Flask) -> None:
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static"
    }

    promised = {
        (path, method)
        for path, operations in CONTRACT["paths"].items()
        for method in operations
        if method != "parameters"
    }

    assert promised == served


def test_the_payment_promised_is_the_one_answered(
    client: FlaskClient, checkout: "Checkout", staff: dict[str, str]
) -> None:
    checkout.hear(checkout.reserved())

    answered = client.get(f"/payments/{checkout.order_id}", headers=staff).get_json()

    schema = CONTRACT["components"]["schemas"]["Payment"]
    assert set(answered) == set(schema["properties"]) == set(schema["required"])
    assert schema["properties"]["status"]["enum"] == [str(status) for status in PaymentStatus]


@pytest.mark.parametrize("path", ["happy", "declined", "voided", "tombstone"])
def test_the_events_published_are_as_promised(
    db: Database, checkout: "Checkout", path: str
) -> None:
    _walk(checkout, path)

    told = published(db)

    assert told
    for event in told:
        properties = EVENTS[event.type]["properties"]
        assert set(event.data) == set(properties) == set(EVENTS[event.type]["required"])
        assert event.subject == event.data["order_id"]
        for name, value in event.data.items():
            assert type(value) is TYPES[properties[name]["type"]], name
            if properties[name].get("format") == "uuid":
                assert str(UUID(value)) == value


def test_every_event_promised_is_published(
    db: Database, new_checkout: "Callable[[], Checkout]"
) -> None:
    for path in ("happy", "declined", "voided", "tombstone"):
        _walk(new_checkout(), path)

    assert {event.type for event in published(db)} == set(EVENTS)


def test_every_refusal_has_its_page() -> None:
    refusals = [
        kind
        for kind in vars(domain).values()
        if isinstance(kind, type) and issubclass(kind, errors.Refusal) and "title" in vars(kind)
    ]

    assert refusals
    for refusal in refusals:
        status = next(code for base, code in problems.STATUS.items() if issubclass(refusal, base))
        type_ = problems.problem_type(refusal)
        page = (PROBLEMS / f"{type_.rpartition('/')[2]}.md").read_text()
        assert page.startswith(f"# {refusal.title}\n")
        assert f"Type `{type_}` · status {status}" in page


def _walk(checkout: "Checkout", path: str) -> None:
    if path != "tombstone":
        checkout.hear(
            checkout.reserved(payment_method="pm_declined" if path == "declined" else "pm_ok")
        )
        checkout.work()
    if path == "happy":
        checkout.hear(checkout.confirmed())
    else:
        checkout.hear(checkout.cancellation())
    checkout.work()
