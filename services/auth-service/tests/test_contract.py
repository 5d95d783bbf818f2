"""What is promised under contract/ and by the problems' pages is what the code does."""

import json
from pathlib import Path
from typing import Any

import pytest
from auth import domain
from auth.routes import bodies
from common import contract, errors, problems
from common.db import Database
from common.problem_pages import TEXTS
from common.testing import published
from flask.testing import FlaskClient
from pydantic import BaseModel

SERVICE = Path(__file__).parents[1]
CONTRACT: dict[str, Any] = contract.read(SERVICE / "contract" / "openapi.yaml")
# Keywords that bound a value; prose and defaults may differ.
BOUNDS = {
    "type", "pattern", "const", "minLength", "maxLength", "minimum", "maximum",
    "exclusiveMinimum", "minItems", "maxItems", "required", "additionalProperties",
}  # fmt: skip


def bounds(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """*schema* with its references resolved and only its bounds kept."""
    if "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return bounds(target, root)
    kept = {key: value for key, value in schema.items() if key in BOUNDS}
    if "required" in kept:
        kept["required"] = sorted(kept["required"])
    if "items" in schema:
        kept["items"] = bounds(schema["items"], root)
    if "properties" in schema:
        kept["properties"] = {
            name: bounds(member, root) for name, member in schema["properties"].items()
        }
    return kept


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("Registration", bodies.RegistrationIn),
        ("Login", bodies.LoginIn),
        ("GuestTokenRequest", bodies.GuestTokenIn),
        ("Refresh", bodies.RefreshIn),
        ("PasswordChange", bodies.PasswordChangeIn),
    ],
)
def test_the_requests_promised_are_those_taken(name: str, model: type[BaseModel]) -> None:
    taken = model.model_json_schema()

    promised = CONTRACT["components"]["schemas"][name]

    assert bounds(promised, CONTRACT) == bounds(taken, taken)


def test_the_events_promised_are_those_published(client: FlaskClient, db: Database) -> None:
    client.post(
        "/register", json={"email": "ana@example.com", "password": "correct horse", "name": "Ana"}
    )

    told = {event.type: set(event.data) for event in published(db)}

    promised = {
        path.name.removesuffix(".v1.json"): set(json.loads(path.read_text())["required"])
        for path in (SERVICE / "contract" / "events").glob("*.json")
    }
    assert told == promised


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
        page = (TEXTS / f"{type_.rpartition('/')[2]}.md").read_text()
        assert page.startswith(f"# {refusal.title}\n")
        assert f"Type `{type_}` · status {status}" in page
