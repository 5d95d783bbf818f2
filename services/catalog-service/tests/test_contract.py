"""What is promised under contract/ and by the problems' pages is what the code does."""

from typing import Any

import pytest
from catalog.domain import imports, products
from catalog.routes import bodies
from catalog.routes import imports as import_routes
from common.db import Database
from common.testing import published
from common.testing.contracts import (
    bounds,
    bounds_promised,
    bounds_taken,
    document_of,
    events_of,
    hold_to_contract,
)
from common.testing.refusals import refusals_of, without_page
from flask.testing import FlaskClient
from pydantic import BaseModel

CONTRACT = document_of("catalog")


@pytest.mark.parametrize(
    ("name", "model"),
    [("Details", bodies.DetailsIn), ("QuoteRequest", bodies.QuoteIn), ("Import", bodies.ImportIn)],
)
def test_the_requests_promised_are_those_taken(name: str, model: type[BaseModel]) -> None:
    assert bounds_promised("catalog", name) == bounds_taken(model)


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

    schemas = events_of("catalog")
    assert {event.type for event in told} == set(schemas)
    for event in told:
        schema = schemas[event.type]
        assert set(schema["required"]) <= set(event.data) <= set(schema["properties"])
        hold_to_contract(event)


def test_every_refusal_has_its_page() -> None:
    assert without_page(*refusals_of(products, imports, bodies, import_routes)) == []
