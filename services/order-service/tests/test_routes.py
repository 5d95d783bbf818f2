"""Placing, reading and cancelling over HTTP; a refusal writes nothing."""

import threading
from typing import Any

import pytest
from common import paging
from common.auth import Role
from common.db import Database
from common.ids import new_id
from common.testing import PATIENCE, bearer, deliver, promised, published
from flask.testing import FlaskClient
from order.routes.bodies import BODY_BYTES_MAX
from order.store.tables import orders
from order.worker import HANDLERS
from order_fixtures import Ana, FakeCatalog, wire
from sqlalchemy import func, select, text


def count(db: Database) -> int:
    with db.transaction() as tx:
        return tx.scalar(select(func.count()).select_from(orders)) or 0


def confirm(db: Database, order_id: str) -> None:
    deliver(db, HANDLERS, promised("payment.authorized", order_id, {"order_id": order_id}))


def test_an_order_is_accepted_with_what_it_costs(db: Database, ana: Ana) -> None:
    response = ana.place()

    assert response.status_code == 202
    assert response.headers["Location"] == f"/orders/{response.json['id']}"
    assert (response.json["status"], response.json["total_minor"]) == ("pending", 1139)
    assert response.json["lines"] == [
        {"sku": "MUG-1", "name": "Mug", "quantity": 2, "unit_price_minor": 250}
    ]
    assert [event.type for event in published(db)] == ["order.placed"]
    assert published(db)[0].data == {
        "order_id": response.json["id"], "customer_id": "ana", "amount_minor": 1139,
        "subtotal_minor": 500, "shipping_minor": 599, "tax_minor": 40, "currency": "USD",
        "payment_method": "pm_ok", "lines": [{"sku": "MUG-1", "quantity": 2}],
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


def test_a_restart_of_the_database_is_no_callers_to_notice(database_url: str, ana: Ana) -> None:
    placed = ana.place().json
    other = Database(database_url, pool_size=1, patience=PATIENCE)  # It waits for each to be gone.
    with other.transaction() as tx:
        others = "usename = current_user AND pid <> pg_backend_pid()"
        tx.execute(
            text(f"SELECT pg_terminate_backend(pid, 15000) FROM pg_stat_activity WHERE {others}")
        )
    other.engine.dispose()

    answer = ana.read(placed["id"])

    assert (answer.status_code, answer.json) == (200, placed)


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
    assert ana.place().data in {answer.data for answer in accepted}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Jane@MÜLLER.example", "Jane@xn--mller-kva.example"),
        ("jo\u0308rg@shoppers.example", "jörg@shoppers.example"),
    ],
)
def test_an_address_is_kept_as_mail_servers_take_it(
    db: Database, ana: Ana, typed: str, kept: str
) -> None:
    assert ana.place(email=typed).status_code == 202

    with db.transaction() as tx:
        assert tx.execute(text("SELECT email FROM orders")).scalar_one() == kept


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
        ({"email": "ana@localhost"}, 400, "malformed"),
        ({"email": "=?utf-8?q?x?=@shoppers.example"}, 400, "malformed"),
        ({"payment_method": "tok_visa"}, 400, "malformed"),
        ({"surprise": 1}, 400, "malformed"),
        ({"payment_method": "4242424242424242"}, 422, "card-number-refused"),
        ({"email": "4242 4242 4242 4242@shoppers.example"}, 422, "card-number-refused"),
        ({"lines": [{"sku": "'; DROP TABLE orders; --", "quantity": 1}]}, 400, "malformed"),
        ({"lines": [{"sku": "MUG\x00", "quantity": 1}]}, 400, "malformed-json"),
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


def test_a_card_number_is_seen_through_json_escapes(db: Database, ana: Ana) -> None:
    escaped = "".join(f"\\u{ord(digit):04x}" for digit in "4242424242424242")
    body = f'{{"{escaped}": "pm_{escaped}"}}'

    response = ana.client.post(
        "/orders",
        data=body,
        content_type="application/json",
        headers=ana.headers | {"Idempotency-Key": "k"},
    )

    assert response.status_code == 422
    assert b"4242" not in response.data
    assert count(db) == 0


def test_a_body_larger_than_any_order_is_refused_unread(db: Database, ana: Ana) -> None:
    response = ana.place(surprise="x" * BODY_BYTES_MAX)

    assert response.status_code == 413
    assert count(db) == 0


@pytest.mark.parametrize("role", [Role.STAFF, Role.SERVICE])
def test_only_shoppers_order(db: Database, ana: Ana, role: Role) -> None:
    ana.headers = bearer(role, "sam")

    assert (ana.place().status_code, ana.cancel(new_id()).status_code) == (403, 403)
    assert count(db) == 0


def test_an_order_of_any_size_costs_eight_round_trips(ana: Ana, catalog: FakeCatalog) -> None:
    catalog.prices = {f"SKU-{n}": ("Thing", 100) for n in range(200)}
    ana.place("warm", lines=[{"sku": "SKU-1", "quantity": 1}])

    with wire() as sent:
        response = ana.place(lines=[{"sku": sku, "quantity": 1} for sku in catalog.prices])

    assert response.status_code == 202
    words = [" ".join(statement.split()[:3]) for statement in sent]
    assert words == [
        "SELECT idempotency_keys.subject, idempotency_keys.key,",
        "BEGIN",
        "INSERT INTO idempotency_keys",
        # how many of late
        "SELECT pg_advisory_xact_lock(%(customer_lock)s, hashtext(%(customer_id)s)),",
        "WITH placed AS",  # the order, its lines, its history
        "INSERT INTO outbox",
        "UPDATE idempotency_keys SET",
        "COMMIT",
    ]


def test_reading_an_order_costs_one_round_trip(ana: Ana) -> None:
    order_id = ana.place().json["id"]

    with wire() as sent:
        ana.read(order_id)

    assert len(sent) == 1


@pytest.mark.parametrize("key", ["", "two words", "x" * 256])
def test_an_order_needs_a_key(db: Database, ana: Ana, key: str) -> None:
    response = ana.place(key)

    assert (response.status_code, response.json["type"]) == (
        400, "/problems/idempotency-key-missing",
    )  # fmt: skip
    assert count(db) == 0


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_body_that_is_no_order_is_malformed(client: FlaskClient, ana: Ana, data: bytes) -> None:
    headers = ana.headers | {"Idempotency-Key": "k", "Content-Type": "application/json"}

    assert client.post("/orders", data=data, headers=headers).status_code == 400


def test_a_refused_order_leaves_its_key_free(ana: Ana, catalog: FakeCatalog) -> None:
    catalog.prices.clear()
    refused = ana.place()
    catalog.prices["MUG-1"] = ("Mug", 250)

    assert refused.status_code == 422
    assert ana.place().status_code == 202


def test_lines_of_one_product_are_merged(ana: Ana) -> None:
    line = {"sku": "MUG-1", "quantity": 50}

    order = ana.place(lines=[line, line]).json

    assert [(line["sku"], line["quantity"]) for line in order["lines"]] == [("MUG-1", 100)]
    assert order["subtotal_minor"] == 100 * 250


def test_a_confirmed_order_cannot_be_cancelled(db: Database, ana: Ana) -> None:
    order_id = ana.place().json["id"]
    confirm(db, order_id)

    response = ana.cancel(order_id)

    assert (response.status_code, response.json["type"]) == (409, "/problems/not-cancellable")
    assert ana.read(order_id).json["status"] == "confirmed"


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


def test_a_cursor_that_writes_its_id_in_another_way_is_the_same_place(
    client: FlaskClient, ana: Ana
) -> None:
    first, second = (ana.place(f"k-{n}").json["id"] for n in range(2))
    cursor = paging.encode(f"urn:uuid:{second}")

    page = client.get(f"/orders?cursor={cursor}", headers=ana.headers).json

    assert page is not None
    assert [order["id"] for order in page["items"]] == [first]


@pytest.mark.parametrize("path", ["/orders", "/order-quotes"])
def test_many_lines_of_one_product_are_not_more_than_one(
    client: FlaskClient, ana: Ana, path: str
) -> None:
    lines = [{"sku": "MUG-1", "quantity": quantity} for quantity in (60, 41)]
    body: dict[str, object] = {"lines": lines}
    if path == "/orders":
        body |= {"email": "ana@shoppers.example", "payment_method": "pm_ok"}

    headers = ana.headers | {"Idempotency-Key": "k-many"}
    answer = client.post(path, json=body, headers=headers)

    assert (answer.status_code, answer.json["too_many"]) == (422, ["MUG-1"])


def test_a_list_can_be_narrowed(client: FlaskClient, db: Database, ana: Ana) -> None:
    first, second = (ana.place(f"k-{n}").json for n in range(2))
    confirm(db, first["id"])

    def listed(**query: str) -> list[str]:
        page = client.get("/orders", query_string=query, headers=ana.headers).json
        return [order["id"] for order in page["items"]]

    assert listed(status="confirmed") == [first["id"]]
    assert listed(placed_after=second["placed_at"]) == [second["id"]]
    assert listed(placed_before=second["placed_at"]) == [first["id"]]
    assert listed(customer_id="eve") == [second["id"], first["id"]]  # Not hers to choose.


def test_staff_see_everybodys_orders(client: FlaskClient, ana: Ana) -> None:
    placed = ana.place().json["id"]
    staff = bearer(Role.STAFF, "sam")

    everybody = client.get("/orders", headers=staff).json
    eve = client.get("/orders?customer_id=eve", headers=staff).json

    assert [order["id"] for order in everybody["items"]] == [placed]
    assert eve["items"] == []


def test_a_quote_costs_what_the_order_would_and_places_none(
    client: FlaskClient, db: Database, ana: Ana
) -> None:
    body = {"lines": [{"sku": "MUG-1", "quantity": 2}]}

    quote = client.post("/order-quotes", json=body, headers=ana.headers).json

    assert (quote["subtotal_minor"], quote["shipping_minor"], quote["tax_minor"]) == (500, 599, 40)
    assert quote["total_minor"] == ana.place().json["total_minor"] == 1139
    assert count(db) == 1


def test_a_key_places_one_order_even_when_its_answer_is_forgotten(db: Database, ana: Ana) -> None:
    placed = ana.place().json
    with db.transaction() as tx:
        tx.execute(text("DELETE FROM idempotency_keys"))  # As after 72 hours.
    confirm(db, placed["id"])

    again = ana.place()

    assert (again.status_code, again.json["id"]) == (202, placed["id"])
    assert again.json["status"] == "confirmed"
    assert count(db) == 1
