"""Every place where a contract takes a text, and that a card number is refused in each, and kept
nowhere. For JSON bodies, parameters and headers; knows no form and no file.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import text

from common.auth import Role
from common.card_numbers import KEPT_HEADERS
from common.db import Database
from common.testing.contracts import document_of, resolved
from common.testing.environment import bearer

CARDS = ("4242424242424242", "4242 4242 4242 4242")
METHODS = ("get", "put", "post", "patch", "delete")
# What any of these operations may want to see before it reads a body.
USUAL = {"Idempotency-Key": "a-key", "If-Match": '"1"'}


@dataclass(frozen=True, slots=True)
class Place:
    """where: ``path``, ``query``, ``header`` or ``body``; name: the parameter, or a pointer."""

    method: str
    path: str
    where: str
    name: str
    body: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.where} {self.name}"


def places(service: str) -> list[Place]:
    """Of every operation: what is addressed to nobody who would sign it (webhooks) is not here."""
    document = document_of(service)
    return [
        place
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item and not path.startswith("/webhooks")
        for place in _places_of(document, method, path, item)
    ]


def hold(place: Place, app: Flask, db: Database, capsys: pytest.CaptureFixture[str]) -> None:
    """Raises AssertionError if a card number there is taken, told again, logged or stored."""
    for card in CARDS:
        answer = _send(place, app, card)
        kept = f"{answer.get_data(as_text=True)} {capsys.readouterr().out} {_tables(db)}"
        assert answer.status_code == 422, answer.text
        assert answer.json["type"] == "/problems/card-number-refused"
        assert card not in kept


def _send(place: Place, app: Flask, card: str) -> Any:
    """As the first role that may."""
    path = place.path.replace("{" + place.name + "}", quote(card)).replace("{sku}", "MUG-1")
    path = re.sub(r"{\w+}", str(UUID(int=0)), path)
    headers = USUAL | ({place.name: card} if place.where == "header" else {})
    arguments: dict[str, Any] = {}
    if place.where == "query":
        arguments["query_string"] = {place.name: card}
    if place.body is not None:
        arguments["json"] = _with(place.body, place.name, card)
    for role in Role:
        answer = app.test_client().open(
            path, method=place.method, headers=headers | bearer(role, "somebody"), **arguments
        )
        if answer.status_code != 403:
            break
    return answer


def _places_of(
    document: Mapping[str, Any], method: str, path: str, item: Mapping[str, Any]
) -> Iterator[Place]:
    operation = item[method]
    for parameter in [*item.get("parameters", []), *operation.get("parameters", [])]:
        found = resolved(document, parameter)
        if found["in"] in {"path", "query"} or found["name"] in KEPT_HEADERS:
            yield Place(method, path, found["in"], found["name"], None)
    content = resolved(document, operation.get("requestBody", {})).get("content", {})
    if "application/json" in content:
        body = _sample(document, content["application/json"]["schema"])
        for pointer in _texts(body):
            yield Place(method, path, "body", pointer, body)


def _sample(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """Everything that *schema* knows, once; what is no object and no list is a text."""
    schema = resolved(document, schema)
    for one in ("oneOf", "anyOf"):
        if one in schema:
            return _sample(document, schema[one][0])
    if "properties" in schema:
        return {name: _sample(document, part) for name, part in schema["properties"].items()}
    if "items" in schema:
        return [_sample(document, schema["items"])]
    return "text"


def _texts(body: Any, pointer: str = "") -> Iterator[str]:
    if isinstance(body, str):  # An object without members.
        return
    parts = body.items() if isinstance(body, dict) else enumerate(body)
    for name, part in parts:
        if isinstance(part, str):
            yield f"{pointer}/{name}"
        else:
            yield from _texts(part, f"{pointer}/{name}")


def _with(body: Any, pointer: str, card: str) -> Any:
    body = part = deepcopy(body)
    *steps, last = [int(step) if step.isdigit() else step for step in pointer.split("/")[1:]]
    for step in steps:
        part = part[step]
    part[last] = card
    return body


def _tables(db: Database) -> str:
    """Every row that there is, as a text."""
    with db.transaction() as tx:
        names = tx.scalars(text(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname = current_schema()"
            " AND has_table_privilege(format('%I.%I', schemaname, tablename), 'SELECT')"
        )).all()  # fmt: skip
        assert names
        return " ".join(
            str(tx.execute(text(f"SELECT t::text FROM {name} AS t")).all())  # noqa: S608
            for name in names
        )
