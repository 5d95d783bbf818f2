from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from common import contract, paging
from common.auth import Role
from common.db import Database
from common.ids import new_id
from common.testing import JWT_SECRET, bearer, published
from flask import Flask
from flask.testing import FlaskClient
from inventory import use_cases
from inventory.app import create_app
from inventory.domain import RESERVATION_TTL, Line, Payable
from inventory.settings import Settings
from pydantic import SecretStr
from sqlalchemy import text

OPENAPI = Path(__file__).parents[1] / "contract" / "openapi.yaml"
# Blueprints that serve the contract itself, and pages.
DOCUMENTS = {"contract", "problem_pages", "swagger_ui"}
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

    answer = client.get(f"/reservations/{order_id}", headers=STAFF)

    assert answer.json
    created_at = datetime.fromisoformat(answer.json["created_at"])
    assert answer.json == {
        "order_id": order_id,
        "state": "held",
        "lines": [{"sku": "MUG-1", "quantity": 3}],
        "missing": [],
        "created_at": answer.json["created_at"],
        "expires_at": (created_at + RESERVATION_TTL).isoformat(),
    }


def test_a_rejected_reservation_shows_what_was_missing(client: FlaskClient, db: Database) -> None:
    order_id = _reserve(db, Line("MUG-1", 3))

    answer = client.get(f"/reservations/{order_id}", headers=STAFF)

    assert answer.json
    assert answer.json["state"] == "rejected"
    assert answer.json["expires_at"] is None
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
        ("GET", "/stock"),
        ("GET", "/stock/audit"),
        ("GET", "/stock/MUG-1/movements"),
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
        ("/stock/receipts", {"lines": []}, "/lines"),
        ("/stock/receipts", {"lines": [{"sku": "A", "quantity": 0}]}, "/lines/0/quantity"),
        ("/stock/receipts", {"lines": [{"sku": "A", "quantity": "9"}]}, "/lines/0/quantity"),
        ("/stock/adjustments", {"sku": "A", "delta": 0, "note": "none"}, "/delta"),
        ("/stock/adjustments", {"sku": "A", "delta": 1, "note": ""}, "/note"),
        ("/stock/adjustments", {"sku": "A", "delta": 1, "note": "x", "by": "me"}, "/by"),
        ("/stock/adjustments", {"sku": "A", "delta": 1, "note": "x", "reason": "loss"}, "/"),
        ("/stock/adjustments", {"sku": "A", "delta": 1, "note": "x", "reason": "sale"}, "/reason"),
        (
            "/stock/receipts",
            {"lines": [{"sku": "A", "quantity": 1}], "reason": "commit"},
            "/reason",
        ),
    ],
)
def test_a_malformed_body_is_told_where(
    client: FlaskClient, path: str, body: dict[str, Any], pointer: str
) -> None:
    answer = client.post(path, json=body, headers=STAFF)

    assert answer.status_code == 400
    assert answer.json
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


# --- Lists, the book and its audit


def _pages(client: FlaskClient, url: str) -> list[list[dict[str, Any]]]:
    """All pages of the list at *url*, which has a query already."""
    pages: list[list[dict[str, Any]]] = []
    cursor = None
    while not pages or cursor:
        answer = client.get(url + (f"&cursor={cursor}" if cursor else ""), headers=STAFF)
        assert answer.status_code == 200, answer.json
        assert answer.json
        pages.append(answer.json["items"])
        cursor = answer.json["next_cursor"]
    return pages


def test_stock_is_listed_page_by_page(client: FlaskClient) -> None:
    _receive(client, ("C", 3), ("A", 1), ("B", 2))

    pages = _pages(client, "/stock?limit=2")

    assert [[item["sku"] for item in page] for page in pages] == [["A", "B"], ["C"]]
    assert pages[0][0] == {"sku": "A", "on_hand": 1, "reserved": 0, "available": 1}


def test_stock_that_runs_low_is_listed_alone(client: FlaskClient, db: Database) -> None:
    _receive(client, ("GONE", 2), ("LOW", 5), ("PLENTY", 6))
    _reserve(db, Line("GONE", 2))

    listed = {
        level: [item["sku"] for page in _pages(client, f"/stock?level={level}") for item in page]
        for level in ("none", "low", "plenty")
    }

    assert listed == {"none": ["GONE"], "low": ["LOW"], "plenty": ["PLENTY"]}


def test_the_movements_of_a_sku_are_listed_latest_first(client: FlaskClient, db: Database) -> None:
    _receive(client, ("MUG-1", 10), ("TEA-2", 10))
    order_id = _reserve(db, Line("MUG-1", 3))
    body = {"sku": "MUG-1", "delta": -1, "reason": "damage", "note": "fell"}
    client.post("/stock/adjustments", json=body, headers=STAFF)

    pages = _pages(client, "/stock/MUG-1/movements?limit=2")

    damage, reserve, receipt = [item for page in pages for item in page]
    assert [len(page) for page in pages] == [2, 1]
    assert damage | {"id": 0, "occurred_at": ""} == {
        "id": 0,
        "occurred_at": "",
        "reason": "damage",
        "delta_on_hand": -1,
        "delta_reserved": 0,
        "order_id": None,
        "return_id": None,
        "actor": "staff-1",
        "note": "fell",
    }
    assert (reserve["reason"], reserve["order_id"]) == ("reserve", order_id)
    assert (receipt["reason"], receipt["delta_on_hand"]) == ("receipt", 10)


def test_an_unknown_sku_has_no_movements(client: FlaskClient) -> None:
    for sku in ("MUG-1", "%00", "audit"):
        assert client.get(f"/stock/{sku}/movements", headers=STAFF).status_code == 404


def test_an_audit_reports_what_was_changed_without_the_book(
    client: FlaskClient, db: Database
) -> None:
    _receive(client, ("MUG-1", 10), ("TEA-2", 1))
    before = client.get("/stock/audit", headers=STAFF).json
    with db.transaction() as tx:
        tx.execute(text("UPDATE stock SET on_hand = 9 WHERE sku = 'MUG-1'"))

    answer = client.get("/stock/audit", headers=STAFF)

    assert before == {"skus": 2, "movements": 2, "different": 0, "differences": []}
    assert answer.json == {
        "skus": 2,
        "movements": 2,
        "different": 1,
        "differences": [
            {
                "sku": "MUG-1",
                "stock": {"on_hand": 9, "reserved": 0},
                "book": {"on_hand": 10, "reserved": 0},
                "held": 0,
            }
        ],
    }


@pytest.mark.parametrize(
    ("url", "type_"),
    [
        ("/stock?limit=0", "malformed-limit"),
        ("/stock?limit=101", "malformed-limit"),
        ("/stock?limit=ten", "malformed-limit"),
        ("/stock?cursor=nonsense", "malformed-cursor"),
        ("/stock?cursor=", "malformed-cursor"),
        (f"/stock?cursor={paging.encode(7)}", "malformed-cursor"),
        ("/stock?level=some", "malformed"),
        ("/stock?sort=on_hand", "malformed"),
        ("/stock?limit=1&limit=2", "malformed"),
        (f"/stock/MUG-1/movements?cursor={paging.encode('A')}", "malformed-cursor"),
        (f"/stock/MUG-1/movements?cursor={paging.encode(1, 2)}", "malformed-cursor"),
    ],
)
def test_a_malformed_query_is_refused(client: FlaskClient, url: str, type_: str) -> None:
    _receive(client, ("MUG-1", 1))

    answer = client.get(url, headers=STAFF)

    assert answer.status_code == 400
    assert answer.json
    assert answer.json["type"] == f"/problems/{type_}"


# --- The same request twice

WRITES = [
    ("/stock/receipts", {"lines": [{"sku": "MUG-1", "quantity": 5}], "reason": "return"}),
    ("/stock/adjustments", {"sku": "MUG-1", "delta": 5, "reason": "found", "note": "behind"}),
]


@pytest.mark.parametrize(("path", "body"), WRITES)
def test_the_same_key_twice_moves_once_and_answers_the_same(
    client: FlaskClient, path: str, body: dict[str, Any]
) -> None:
    _receive(client, ("MUG-1", 10))
    headers = STAFF | {"Idempotency-Key": "delivery-7"}

    first = client.post(path, json=body, headers=headers)
    second = client.post(path, json=body, headers=headers)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.data == second.data
    assert _on_hand(client, "MUG-1") == 15


@pytest.mark.parametrize(("path", "body"), WRITES)
def test_without_a_key_the_same_request_twice_moves_twice(
    client: FlaskClient, path: str, body: dict[str, Any]
) -> None:
    _receive(client, ("MUG-1", 10))

    for _ in range(2):
        client.post(path, json=body, headers=STAFF)

    assert _on_hand(client, "MUG-1") == 20


@pytest.mark.parametrize(("path", "body"), WRITES)
def test_the_key_of_another_request_is_refused(
    client: FlaskClient, path: str, body: dict[str, Any]
) -> None:
    _receive(client, ("MUG-1", 10))
    headers = STAFF | {"Idempotency-Key": "delivery-7"}
    client.post(path, json=body, headers=headers)

    answer = client.post(path, json=body | {"note": "another"}, headers=headers)

    assert answer.status_code == 422
    assert _on_hand(client, "MUG-1") == 15


def test_a_key_belongs_to_whoever_sent_it(client: FlaskClient) -> None:
    path, body = WRITES[0]
    for staff in ("staff-1", "staff-2"):
        headers = bearer(Role.STAFF, staff) | {"Idempotency-Key": "delivery-7"}
        assert client.post(path, json=body, headers=headers).status_code == 201

    assert _on_hand(client, "MUG-1") == 10


def test_a_refused_request_does_not_use_up_its_key(client: FlaskClient) -> None:
    headers = STAFF | {"Idempotency-Key": "count-7"}
    body = {"sku": "MUG-1", "delta": -3, "note": "broken"}
    refused = client.post("/stock/adjustments", json=body, headers=headers)
    _receive(client, ("MUG-1", 10))

    answer = client.post("/stock/adjustments", json=body, headers=headers)

    assert (refused.status_code, answer.status_code) == (404, 201)


def test_a_malformed_key_is_refused(client: FlaskClient) -> None:
    for path, body in WRITES:
        answer = client.post(path, json=body, headers=STAFF | {"Idempotency-Key": "a b"})
        assert answer.status_code == 400


def test_eight_requests_with_one_key_move_once(app: Flask, client: FlaskClient) -> None:
    path, body = WRITES[0]
    headers = STAFF | {"Idempotency-Key": "delivery-7"}

    def send(_: int) -> int:
        return app.test_client().post(path, json=body, headers=headers).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = Counter(threads.map(send, range(8)))

    assert statuses.keys() <= {201, 409}, "409 tells a twin to try again"
    assert statuses[201] >= 1
    assert _on_hand(client, "MUG-1") == 5


# --- Hostile requests


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/stock/queries", b"{"),
        ("/stock/queries", b'{"skus": ["A"], "skus": ["B"]}'),
        ("/stock/queries", b'{"skus": ["MU\\u0000G"]}'),
        ("/stock/queries", b'{"skus": ' + b"[" * 40 + b"]" * 40 + b"}"),
        ("/stock/receipts", b'{"lines": [{"sku": "A", "quantity": NaN}]}'),
        ("/stock/receipts", b'{"lines": [{"sku": "A", "quantity": 1}], "note": "\\u0000"}'),
        ("/stock/adjustments", b'{"sku": "A", "delta": 1, "note": "\\ud800"}'),
    ],
)
def test_what_parsers_disagree_about_is_refused(
    client: FlaskClient, path: str, data: bytes
) -> None:
    answer = client.post(path, data=data, headers=STAFF, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json
    assert answer.json["type"] == "/problems/malformed-json"


@pytest.mark.parametrize("path", ["/stock/queries", "/stock/receipts", "/stock/adjustments"])
def test_a_body_that_is_too_large_or_no_json_is_refused(client: FlaskClient, path: str) -> None:
    large = client.post(path, data=b" " * 300_000, headers=STAFF, content_type="application/json")
    form = client.post(path, data=b"sku=A", headers=STAFF)

    assert (large.status_code, form.status_code) == (413, 415)


@pytest.mark.parametrize("path", ["/stock/queries", "/stock/receipts", "/stock/adjustments"])
def test_what_has_a_name_of_its_own_is_no_sku(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_the_largest_receipt_fits(client: FlaskClient) -> None:
    lines = [{"sku": f"{n:04}{'S' * 60}", "quantity": 1_000_000} for n in range(1000)]

    answer = client.post(
        "/stock/receipts", json={"lines": lines, "note": "\u00e9" * 200}, headers=STAFF
    )

    assert answer.status_code == 201


def test_a_thousand_lines_of_one_sku_are_one_delivery(client: FlaskClient) -> None:
    _receive(client, *[("MUG-1", 1_000_000)] * 1000)

    assert _on_hand(client, "MUG-1") == 1_000_000_000


def _on_hand(client: FlaskClient, sku: str) -> int:
    answer = client.get(f"/stock/{sku}")
    assert answer.json
    return int(answer.json["on_hand"])


def test_the_contract_names_every_route_and_no_other(app: Flask) -> None:
    document = contract.read(OPENAPI)
    promised = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }

    served = {
        (
            method,
            rule.rule.replace("<uuid:", "<")
            .replace("<sku:", "<")
            .replace("<", "{")
            .replace(">", "}"),
        )
        for rule in app.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] not in DOCUMENTS
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert served == promised
