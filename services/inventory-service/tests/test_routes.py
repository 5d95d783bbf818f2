from pathlib import Path
from typing import Any

import pytest
import yaml
from common.auth import Role
from common.db import Database
from common.ids import new_id
from common.testing import JWT_SECRET, bearer, published
from flask import Flask
from flask.testing import FlaskClient
from inventory import use_cases
from inventory.app import create_app
from inventory.domain import Line, Payable
from inventory.settings import Settings
from pydantic import SecretStr

OPENAPI = Path(__file__).parents[1] / "contract" / "openapi.yaml"
STAFF = bearer(Role.STAFF, "staff-1")
CUSTOMER = bearer(Role.CUSTOMER, "customer-1")
PAYABLE = Payable("customer-1", 1999, "USD", "pm_visa")


@pytest.fixture
def app(database_url: str, db: Database) -> Flask:
    settings = Settings(database_url=SecretStr(database_url), jwt_secret=SecretStr(JWT_SECRET))
    return create_app(settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def _receive(client: FlaskClient, *lines: tuple[str, int]) -> None:
    body = {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines]}
    assert client.post("/stock/receipts", json=body, headers=STAFF).status_code == 201


def _reserve(db: Database, *lines: Line) -> str:
    order_id = new_id()
    with db.transaction() as tx:
        use_cases.reserve_stock(tx, order_id, PAYABLE, lines, cause=new_id())
    return order_id


def test_anybody_may_read_the_stock(client: FlaskClient, db: Database) -> None:
    _receive(client, ("MUG-1", 10))
    _reserve(db, Line("MUG-1", 3))

    answer = client.get("/stock/MUG-1")

    assert answer.json == {"sku": "MUG-1", "on_hand": 10, "reserved": 3, "available": 7}


@pytest.mark.parametrize("sku", ["TEA-2", "%00", "M%20G"])
def test_a_sku_that_was_never_in_stock_is_not_found(client: FlaskClient, sku: str) -> None:
    answer = client.get(f"/stock/{sku}")

    assert answer.status_code == 404
    assert answer.json
    assert answer.json["type"] == "/problems/stock-not-found"


def test_many_skus_are_read_at_once_in_the_order_asked(client: FlaskClient) -> None:
    _receive(client, ("MUG-1", 10), ("TEA-2", 1))

    answer = client.post("/stock/queries", json={"skus": ["TEA-2", "JAM-3", "MUG-1"]})

    assert answer.json == {
        "stock": [
            {"sku": "TEA-2", "on_hand": 1, "reserved": 0, "available": 1},
            {"sku": "MUG-1", "on_hand": 10, "reserved": 0, "available": 10},
        ],
        "unknown": ["JAM-3"],
    }


def test_a_receipt_answers_the_new_stock(client: FlaskClient) -> None:
    _receive(client, ("MUG-1", 10))
    body = {
        "lines": [
            {"sku": "TEA-2", "quantity": 1},
            {"sku": "MUG-1", "quantity": 2},
            {"sku": "MUG-1", "quantity": 3},
        ],
        "note": "delivery 7",
    }

    answer = client.post("/stock/receipts", json=body, headers=STAFF)

    assert answer.status_code == 201
    assert answer.json == {
        "stock": [
            {"sku": "MUG-1", "on_hand": 15, "reserved": 0, "available": 15},
            {"sku": "TEA-2", "on_hand": 1, "reserved": 0, "available": 1},
        ]
    }


def test_a_receipt_of_a_scarce_sku_replenishes_it(client: FlaskClient, db: Database) -> None:
    _receive(client, ("MUG-1", 6))
    _reserve(db, Line("MUG-1", 6))

    _receive(client, ("MUG-1", 6))

    assert [event.type for event in published(db) if event.subject == "MUG-1"] == [
        "stock.low",
        "stock.replenished",
    ]


def test_a_thousand_lines_are_received_at_once(client: FlaskClient) -> None:
    _receive(client, *((f"SKU-{number}", 1 + number) for number in range(1000)))

    answer = client.get("/stock/SKU-999")

    assert answer.json
    assert answer.json["available"] == 1000


def test_an_adjustment_answers_the_new_stock(client: FlaskClient) -> None:
    _receive(client, ("MUG-1", 10))
    body = {"sku": "MUG-1", "delta": -4, "note": "broken"}

    answer = client.post("/stock/adjustments", json=body, headers=STAFF)

    assert answer.status_code == 201
    assert answer.json == {"sku": "MUG-1", "on_hand": 6, "reserved": 0, "available": 6}


def test_reserved_pieces_cannot_be_written_off(client: FlaskClient, db: Database) -> None:
    _receive(client, ("MUG-1", 10))
    _reserve(db, Line("MUG-1", 8))
    body = {"sku": "MUG-1", "delta": -3, "note": "broken"}

    answer = client.post("/stock/adjustments", json=body, headers=STAFF)

    assert answer.status_code == 409
    assert answer.json
    assert answer.json["type"] == "/problems/below-reserved"
    assert answer.json["available"] == 2


def test_what_was_never_in_stock_cannot_be_adjusted(client: FlaskClient) -> None:
    body = {"sku": "MUG-1", "delta": 3, "note": "found"}

    assert client.post("/stock/adjustments", json=body, headers=STAFF).status_code == 404


def test_a_reservation_shows_its_lines(client: FlaskClient, db: Database) -> None:
    _receive(client, ("MUG-1", 10))
    order_id = _reserve(db, Line("MUG-1", 3))

    answer = client.get(f"/reservations/{order_id}", headers=bearer(Role.SERVICE, "order"))

    assert answer.json == {
        "order_id": order_id,
        "state": "held",
        "lines": [{"sku": "MUG-1", "quantity": 3}],
        "missing": [],
    }


def test_a_rejected_reservation_shows_what_was_missing(client: FlaskClient, db: Database) -> None:
    order_id = _reserve(db, Line("MUG-1", 3))

    answer = client.get(f"/reservations/{order_id}", headers=STAFF)

    assert answer.json
    assert answer.json["state"] == "rejected"
    assert answer.json["missing"] == [{"sku": "MUG-1", "requested": 3, "available": 0}]


def test_an_unknown_order_has_no_reservation(client: FlaskClient) -> None:
    answer = client.get(f"/reservations/{new_id()}", headers=STAFF)

    assert answer.status_code == 404
    assert answer.json
    assert answer.json["type"] == "/problems/reservation-not-found"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/stock/receipts"),
        ("POST", "/stock/adjustments"),
        ("GET", "/reservations/0192f0c1-0000-7000-8000-000000000001"),
    ],
)
def test_customers_do_not_run_the_stock(client: FlaskClient, method: str, path: str) -> None:
    assert client.open(path, method=method, json={}).status_code == 401
    assert client.open(path, method=method, json={}, headers=CUSTOMER).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/stock/queries", {"skus": []}, "/skus"),
        ("/stock/queries", {"skus": ["MUG-1", "MUG-1"]}, "/skus"),
        ("/stock/queries", {"skus": [f"SKU-{n}" for n in range(201)]}, "/skus"),
        ("/stock/queries", {"skus": ["MU\x00G"]}, "/skus/0"),
        ("/stock/receipts", {"lines": []}, "/lines"),
        ("/stock/receipts", {"lines": [{"sku": "A", "quantity": 0}]}, "/lines/0/quantity"),
        ("/stock/receipts", {"lines": [{"sku": "A", "quantity": "9"}]}, "/lines/0/quantity"),
        (
            "/stock/receipts",
            {"lines": [{"sku": "A", "quantity": 1}], "note": "\x00"},
            "/note",
        ),
        ("/stock/adjustments", {"sku": "A", "delta": 0, "note": "none"}, "/delta"),
        ("/stock/adjustments", {"sku": "A", "delta": 1, "note": ""}, "/note"),
        ("/stock/adjustments", {"sku": "A", "delta": 1, "note": "x", "by": "me"}, "/by"),
    ],
)
def test_a_malformed_body_is_told_where(
    client: FlaskClient, path: str, body: dict[str, Any], pointer: str
) -> None:
    answer = client.post(path, json=body, headers=STAFF)

    assert answer.status_code == 400
    assert answer.json
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_the_contract_names_every_route_and_no_other(app: Flask) -> None:
    contract = yaml.safe_load(OPENAPI.read_text())
    promised = {
        (method.upper(), path) for path, item in contract["paths"].items() for method in item
    }

    served = {
        (method, rule.rule.replace("<uuid:", "<").replace("<", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert served == promised
