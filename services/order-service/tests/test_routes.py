"""Placing, reading and cancelling over HTTP: answers, refusals, and nothing written by a refusal."""

import threading
from typing import Any

import httpx
import pytest
from common.auth import Role
from common.db import Database
from common.testing import bearer, published
from flask.testing import FlaskClient
from order.store import orders
from order_fixtures import Ana, FakeCatalog
from sqlalchemy import func, select


def count(db: Database) -> int:
    with db.transaction() as tx:
        return tx.scalar(select(func.count()).select_from(orders)) or 0


def refuse(status: int) -> Any:
    return lambda: httpx.Response(status)


def no_answer() -> httpx.Response:
    raise httpx.ConnectTimeout("catalog")


def test_an_order_is_accepted_with_what_it_costs(db: Database, ana: Ana) -> None:
    response = ana.place()

    assert response.status_code == 202
    assert response.headers["Location"] == f"/orders/{response.json['id']}"
    assert (response.json["status"], response.json["total_minor"]) == ("pending", 500)
    assert response.json["lines"] == [
        {"sku": "MUG-1", "name": "Mug", "quantity": 2, "unit_price_minor": 250}
    ]
    assert [event.type for event in published(db)] == ["order.placed"]
    assert published(db)[0].data == {
        "order_id": response.json["id"], "customer_id": "ana", "amount_minor": 500,
        "currency": "USD", "payment_method": "pm_ok", "lines": [{"sku": "MUG-1", "quantity": 2}],
    }  # fmt: skip


def test_what_was_accepted_can_be_read_by_its_owner_and_by_staff(
    client: FlaskClient, ana: Ana
) -> None:
    placed = ana.place().json

    assert ana.read(placed["id"]).json == placed
    staff = bearer(Role.STAFF, "sam")
    assert client.get(f"/orders/{placed['id']}", headers=staff).json == placed


def test_an_order_is_nobody_elses_to_see_or_cancel(client: FlaskClient, ana: Ana) -> None:
    url = f"/orders/{ana.place().json['id']}"
    eve = bearer(Role.CUSTOMER, "eve")

    assert client.get(url, headers=eve).status_code == 404
    assert client.post(f"{url}/cancellation", headers=eve).status_code == 404
    assert client.get(url).status_code == 401


def test_the_same_key_and_body_get_the_same_answer_byte_for_byte(
    db: Database, ana: Ana, catalog: FakeCatalog
) -> None:
    first, second = ana.place(), ana.place()

    assert (first.status_code, first.data, first.headers["Location"]) == (
        second.status_code, second.data, second.headers["Location"],
    )  # fmt: skip
    assert count(db) == 1
    assert catalog.asked == 1


def test_the_same_key_with_another_body_is_refused(db: Database, ana: Ana) -> None:
    ana.place()

    response = ana.place(lines=[{"sku": "MUG-1", "quantity": 3}])

    assert response.status_code == 422
    assert response.json["type"] == "/problems/idempotency-key-reused"
    assert count(db) == 1


def test_one_shopper_cannot_use_up_anothers_key(db: Database, ana: Ana) -> None:
    ana.place()
    ana.headers = bearer(Role.GUEST, "ben")

    assert ana.place().status_code == 202
    assert count(db) == 2


def test_of_twenty_clicks_at_once_one_orders_and_all_see_it(db: Database, ana: Ana) -> None:
    barrier, answers = threading.Barrier(20), []

    def click() -> None:
        barrier.wait()
        answers.append(ana.place())

    threads = [threading.Thread(target=click) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    accepted = [answer for answer in answers if answer.status_code == 202]
    assert count(db) == 1
    assert len({answer.data for answer in accepted}) == 1
    # A twin that would wait longer than a lock or a connection may is told to come again.
    assert {answer.status_code for answer in answers} <= {202, 409, 503}
    assert len(published(db)) == 1


@pytest.mark.parametrize(
    ("changes", "status", "problem"),
    [
        ({"lines": []}, 400, "malformed"),
        ({"lines": [{"sku": "MUG-1", "quantity": 0}]}, 400, "malformed"),
        ({"lines": [{"sku": "MUG-1", "quantity": 101}]}, 400, "malformed"),
        ({"lines": [{"sku": "MUG-1", "quantity": "2"}]}, 400, "malformed"),
        ({"lines": [{"sku": "M" * 65, "quantity": 1}]}, 400, "malformed"),
        ({"lines": [{"sku": "MUG-1", "quantity": 1}] * 201}, 400, "malformed"),
        ({"email": "not an address"}, 400, "malformed"),
        ({"payment_method": "tok_visa"}, 400, "malformed"),
        ({"surprise": 1}, 400, "malformed"),
        ({"payment_method": "4242424242424242"}, 422, "card-number-refused"),
        ({"email": "4242 4242 4242 4242@shoppers.example"}, 422, "card-number-refused"),
        ({"lines": [{"sku": "'; DROP TABLE orders; --", "quantity": 1}]}, 422, "unknown-sku"),
        ({"lines": [{"sku": "NO-1", "quantity": 1}]}, 422, "unknown-sku"),
        ({"expected_total_minor": 499}, 409, "price-changed"),
    ],
)
def test_what_cannot_be_ordered_is_refused_and_nothing_is_written(
    db: Database, ana: Ana, changes: dict[str, Any], status: int, problem: str
) -> None:
    response = ana.place(**changes)

    assert (response.status_code, response.json["type"]) == (status, f"/problems/{problem}")
    assert count(db) == 0
    assert published(db) == []


@pytest.mark.parametrize("key", ["", "two words", "x" * 256])
def test_an_order_needs_a_key(db: Database, ana: Ana, key: str) -> None:
    response = ana.place(key)

    assert (response.status_code, response.json["type"]) == (
        400, "/problems/idempotency-key-missing",
    )  # fmt: skip
    assert count(db) == 0


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_body_that_is_no_order_is_malformed(client: FlaskClient, ana: Ana, data: bytes) -> None:
    headers = ana.headers | {"Idempotency-Key": "k"}

    assert client.post("/orders", data=data, headers=headers).status_code == 400


def test_a_refused_order_leaves_its_key_free(ana: Ana, catalog: FakeCatalog) -> None:
    catalog.prices.clear()
    refused = ana.place()
    catalog.prices["MUG-1"] = ("Mug", 250)

    assert refused.status_code == 422
    assert ana.place().status_code == 202


def test_a_catalog_that_stumbles_is_asked_again(ana: Ana, catalog: FakeCatalog) -> None:
    catalog.answers = [refuse(503), no_answer]

    assert ana.place().status_code == 202
    assert catalog.asked == 3


def test_a_catalog_that_is_down_refuses_the_order_for_now(
    db: Database, ana: Ana, catalog: FakeCatalog
) -> None:
    catalog.answers = [no_answer] * 3

    response = ana.place()

    assert (response.status_code, response.json["type"]) == (503, "/problems/catalog-unavailable")
    assert response.headers["Retry-After"]
    assert count(db) == 0


def test_cancelling_asks_once_however_often(db: Database, ana: Ana) -> None:
    order_id = ana.place().json["id"]

    first, second = ana.cancel(order_id), ana.cancel(order_id)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json["status"] == "pending"
    assert [event.type for event in published(db)] == [
        "order.placed", "order.cancellation_requested",
    ]  # fmt: skip


def test_pages_list_every_order_once_newest_first(client: FlaskClient, ana: Ana) -> None:
    placed = [ana.place(f"k-{n}").json["id"] for n in range(5)]

    listed, cursor = [], ""
    for _ in range(4):
        page = client.get(f"/orders?limit=2{cursor}", headers=ana.headers).json
        assert page is not None
        listed += [order["id"] for order in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
        if page["next_cursor"] is None:
            break

    assert listed == placed[::-1]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=1", "page=2"])
def test_a_bad_page_is_malformed(client: FlaskClient, ana: Ana, query: str) -> None:
    assert client.get(f"/orders?{query}", headers=ana.headers).status_code == 400
