"""What is promised under contract/ and by the problems' pages is what the code does."""

from pathlib import Path
from typing import Any

import pytest
from cart import domain
from cart.routes import requests
from common import contract, errors, problems
from common.auth import Role
from common.db import Database
from common.problem_pages import TEXTS
from common.testing import conformance, published, routes
from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel
from schemathesis import Case

schema, target = conformance.contract_of("cart")

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


def test_the_paths_promised_are_the_paths_served(app: Flask) -> None:
    assert routes.contradictions(app, "cart") == []


def test_every_route_says_who_may_use_it(app: Flask) -> None:
    assert routes.undecided(app) == []


@pytest.fixture
def held(client: FlaskClient) -> None:
    """Somebody who owns nothing to begin with, and neighbours who answer."""


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.GUEST, Role.STAFF])
@schema.parametrize()
@conformance.SETTINGS
def test_every_operation_keeps_its_contract(
    case: "Case[Any]", app: Flask, held: None, role: Role
) -> None:
    conformance.hold(case, target, app, role)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("CartRequest", requests.CartIn),
        ("LineRequest", requests.QuantityIn),
        ("AdditionRequest", requests.AdditionIn),
        ("MergeRequest", requests.MergeIn),
        ("AcceptedPricesRequest", requests.PricesIn),
    ],
)
def test_the_requests_promised_are_those_taken(name: str, model: type[BaseModel]) -> None:
    taken = model.model_json_schema()

    promised = CONTRACT["components"]["schemas"][name]

    assert bounds(promised, CONTRACT) == bounds(taken, taken)


def test_nothing_is_published(client: FlaskClient, db: Database, ana: dict[str, str]) -> None:
    client.put("/cart/lines/MUG-1", json={"quantity": 1}, headers=ana)

    assert published(db) == []
    assert not (SERVICE / "contract" / "events").exists()


def test_the_cart_promised_is_the_one_answered(client: FlaskClient, ana: dict[str, str]) -> None:
    answered = client.put("/cart/lines/MUG-1", json={"quantity": 1}, headers=ana).get_json()

    schemas = CONTRACT["components"]["schemas"]

    assert set(answered) == set(schemas["Cart"]["properties"])
    assert set(answered["lines"][0]) == set(schemas["Line"]["properties"])


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
