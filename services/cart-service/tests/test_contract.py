"""What is promised under contract/ and by the problems' pages is what the code does."""

import pytest
from cart import domain
from cart.routes import requests
from common.db import Database
from common.testing import published
from common.testing.contracts import bounds_promised, bounds_taken, document_of, events_of
from common.testing.refusals import refusals_of, without_page
from flask.testing import FlaskClient
from pydantic import BaseModel

CONTRACT = document_of("cart")


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
    assert bounds_promised("cart", name) == bounds_taken(model)


def test_nothing_is_published(client: FlaskClient, db: Database, ana: dict[str, str]) -> None:
    client.put("/cart/lines/MUG-1", json={"quantity": 1}, headers=ana)

    assert published(db) == []
    assert events_of("cart") == {}


def test_the_cart_promised_is_the_one_answered(client: FlaskClient, ana: dict[str, str]) -> None:
    answered = client.put("/cart/lines/MUG-1", json={"quantity": 1}, headers=ana).get_json()

    schemas = CONTRACT["components"]["schemas"]

    assert set(answered) == set(schemas["Cart"]["properties"])
    assert set(answered["lines"][0]) == set(schemas["Line"]["properties"])


def test_every_refusal_has_its_page() -> None:
    assert without_page(*refusals_of(domain)) == []
