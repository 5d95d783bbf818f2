"""What is promised under contract/ and by the problems' pages is what the code does."""

import json
from pathlib import Path
from typing import Any

import pytest
from catalog.domain import imports, products
from catalog.routes import bodies
from catalog.routes import imports as import_routes
from common import contract, errors, problems
from common.db import Database
from common.problem_pages import TEXTS
from common.testing import published
from common.testing.contracts import hold_to_contract
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
    [("Details", bodies.DetailsIn), ("QuoteRequest", bodies.QuoteIn), ("Import", bodies.ImportIn)],
)
def test_the_requests_promised_are_those_taken(name: str, model: type[BaseModel]) -> None:
    taken = model.model_json_schema()

    promised = CONTRACT["components"]["schemas"][name]

    assert bounds(promised, CONTRACT) == bounds(taken, taken)


def test_the_query_promised_is_the_one_taken() -> None:
    taken = bodies.SearchIn.model_json_schema()

    promised = CONTRACT["paths"]["/products"]["get"]["parameters"]
    resolved = [
        CONTRACT["components"]["parameters"][p["$ref"].rpartition("/")[2]] if "$ref" in p else p
        for p in promised
    ]

    assert {p["name"]: bounds(p["schema"], CONTRACT) for p in resolved} == {
        name: bounds(_present(member), taken) for name, member in taken["properties"].items()
    }


def _present(member: dict[str, Any]) -> dict[str, Any]:
    """What an optional parameter has to be if it is there."""
    options: list[dict[str, Any]] = member.get("anyOf", [member])
    return next(option for option in options if option.get("type") != "null")


def test_the_events_promised_are_those_published(
    client: FlaskClient, db: Database, staff: dict[str, str]
) -> None:
    for price in (950, 990):
        body = {"name": "Mug", "department": "KITCHEN", "category": "CUPS", "price_minor": price}
        headers = staff | ({"If-Match": "*"} if price > 950 else {})
        client.put("/products/MUG-1", json=body, headers=headers)

    client.delete("/products/MUG-1", headers=staff)
    told = published(db)

    schemas = {
        path.name.removesuffix(".v1.json"): json.loads(path.read_text())
        for path in (SERVICE / "contract" / "events").glob("*.json")
    }
    assert {event.type for event in told} == set(schemas)
    for event in told:
        schema = schemas[event.type]
        assert set(schema["required"]) <= set(event.data) <= set(schema["properties"])
        hold_to_contract(event)


def test_every_refusal_has_its_page() -> None:
    refusals = [
        kind
        for module in (products, imports, bodies, import_routes)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, errors.Refusal) and "title" in vars(kind)
    ]

    assert refusals
    for refusal in refusals:
        status = next(code for base, code in problems.STATUS.items() if issubclass(refusal, base))
        type_ = problems.problem_type(refusal)
        page = (TEXTS / f"{type_.rpartition('/')[2]}.md").read_text()
        assert page.startswith(f"# {refusal.title}\n")
        assert f"Type `{type_}` · status {status}" in page
