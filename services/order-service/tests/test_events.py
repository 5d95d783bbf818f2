"""Watching an order over HTTP: what it is, what becomes of it, and nothing twice."""

import json
from typing import Any

import pytest
from common.auth import Role
from common.db import Database
from common.ids import new_id
from common.testing import analyze, bearer, deliver, promised
from common.testing.contracts import document_of
from jsonschema import Draft202012Validator
from order.routes.events import _Changes
from order.routes.streams import News
from order.worker import HANDLERS
from order_fixtures import Ana, wire
from sqlalchemy import text

CONTRACT = document_of("order")
Seen = tuple[str, int, dict[str, Any]]


def tell(db: Database, order_id: str, *event_types: str, **data: Any) -> None:
    for event_type in event_types:
        event = promised(event_type, order_id, {"order_id": order_id} | data)
        assert deliver(db, HANDLERS, event).dead == []


def settle(db: Database, order_id: str) -> None:
    tell(db, order_id, "stock.reserved", "payment.authorized", "stock.committed")
    tell(db, order_id, "payment.captured")


def watch(ana: Ana, order_id: str, last: int | str | None = None) -> Any:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    return ana.client.get(f"/orders/{order_id}/events", headers=ana.headers | headers)


def events_in(stream: str) -> list[Seen]:
    """As an EventSource reads it, of the fields we send."""
    found: list[Seen] = []
    for block in stream.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if "data" in fields:
            found.append((fields["event"], int(fields["id"]), json.loads(fields["data"])))
    return found


@pytest.fixture
def order_id(db: Database, ana: Ana) -> str:
    """A settled order: its stream ends by itself."""
    placed: str = ana.place().json["id"]
    settle(db, placed)
    return placed


def test_the_stream_of_a_settled_order_is_the_order_and_ends(ana: Ana, order_id: str) -> None:
    response = watch(ana, order_id)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.text.startswith("retry: 1000\n\n")
    order = ana.read(order_id).json
    assert events_in(response.text) == [("order", order["version"], order)]


def test_whoever_comes_back_gets_what_they_missed_once(ana: Ana, order_id: str) -> None:
    history = ana.read(order_id).json["history"]

    for seen in range(1, len(history)):
        missed = events_in(watch(ana, order_id, seen).text)

        assert [(name, number) for name, number, _ in missed] == [
            ("status", entry["version"]) for entry in history[seen:]
        ]
        last = len(missed) - 1
        assert [data for *_, data in missed] == [
            entry | {"settled": at == last} for at, entry in enumerate(history[seen:])
        ]


def test_whoever_has_seen_all_is_told_not_to_ask_again(ana: Ana, order_id: str) -> None:
    version = ana.read(order_id).json["version"]

    response = watch(ana, order_id, version)

    assert (response.status_code, response.data) == (204, b"")


def test_whoever_comes_from_another_order_is_told_everything(ana: Ana, order_id: str) -> None:
    [(name, version, _)] = events_in(watch(ana, order_id, 999).text)

    assert (name, version) == ("order", ana.read(order_id).json["version"])


def test_what_is_sent_is_what_the_contract_promises(ana: Ana, order_id: str) -> None:
    schemas = CONTRACT["components"]["schemas"]
    for name, schema in (("order", "Order"), ("status", "StatusChange")):
        last = None if name == "order" else 1
        reader = Draft202012Validator({"$ref": f"#/components/schemas/{schema}", **CONTRACT})

        sent = events_in(watch(ana, order_id, last).text)

        assert {event for event, *_ in sent} == {name}
        for *_, data in sent:
            reader.validate(data)
            assert set(data) == set(schemas[schema]["required"])


def test_staff_may_watch_and_strangers_find_nothing(ana: Ana, order_id: str) -> None:
    url = f"/orders/{order_id}/events"

    def status(headers: dict[str, str]) -> int:
        return ana.client.get(url, headers=headers).status_code

    assert status(bearer(Role.STAFF, "sam")) == 200
    assert status(bearer(Role.SERVICE, "payment")) == 403
    assert status(bearer(Role.CUSTOMER, "eve")) == 404
    assert status({}) == 401
    assert watch(ana, new_id()).json["type"] == "/problems/order-not-found"


@pytest.mark.parametrize("last", ["", "0", "one", "1" * 10])
def test_an_event_id_that_is_none_of_ours_is_refused(ana: Ana, order_id: str, last: str) -> None:
    response = watch(ana, order_id, last)

    assert (response.status_code, response.json["type"]) == (400, "/problems/malformed-event-id")


def test_too_late_is_too_late_for_a_stream_too(ana: Ana, order_id: str) -> None:
    headers = ana.headers | {"X-Request-Deadline": "10"}

    response = ana.client.get(f"/orders/{order_id}/events", headers=headers)

    assert (response.status_code, response.get_json()["type"]) == (503, "/problems/too-late")


def test_a_fifth_watcher_is_asked_to_come_later_until_one_leaves(ana: Ana) -> None:
    placed = ana.place().json["id"]
    four = [watch(ana, placed) for _ in range(4)]

    fifth = watch(ana, placed)

    assert (fifth.status_code, fifth.json["type"]) == (503, "/problems/too-many-streams")
    assert fifth.headers["Retry-After"] == "5"
    four[0].close()
    again = watch(ana, placed)
    assert again.status_code == 200
    for response in (*four, again):
        response.close()


def test_changes_are_found_one_by_one_or_together_and_end_when_it_is_settled(
    db: Database, ana: Ana
) -> None:
    placed = ana.place().json["id"]
    look = _Changes(db, placed, 1)

    quiet = look()
    tell(db, placed, "stock.reserved")
    reserved = look()
    tell(db, placed, "payment.authorized", "stock.committed", "payment.captured")
    rest = look()

    assert quiet == News()
    assert [event[1] for event in events_in("".join(reserved.frames))] == [2]
    assert [(number, data["event"], data["settled"]) for _, number, data in events_in(
        "".join(rest.frames)
    )] == [
        (3, "payment.authorized", False),
        (4, "stock.committed", False),
        (5, "payment.captured", True),
    ]  # fmt: skip
    assert (reserved.is_last, rest.is_last) == (False, True)


def test_a_look_is_one_statement_and_keeps_no_connection(db: Database, ana: Ana) -> None:
    look = _Changes(db, ana.place().json["id"], 1)

    with wire() as sent:
        look()

    assert len(sent) == 1
    assert "FROM order_history" in sent[0]
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # A QueuePool's.


def test_a_look_reads_only_the_rows_it_finds(db: Database, ana: Ana) -> None:
    placed = ana.place().json["id"]
    with db.transaction() as tx:  # Of a few, every index is as good as another.
        tx.execute(
            text(
                "INSERT INTO orders SELECT (jsonb_populate_record(o,"
                " jsonb_build_object('id', gen_random_uuid(), 'customer_id', n))).*"
                " FROM orders o, generate_series(1, 1000) n"
            )
        )
    analyze(db, '"order".orders')
    with wire() as sent:
        _Changes(db, placed, 1)()

    with db.transaction() as tx:
        tx.execute(text("SET LOCAL enable_seqscan = off"))  # The history is tiny here.
        statement = sent[0] % {"order_id_1": f"'{placed}'", "version_1": 1}
        plan = "\n".join(row[0] for row in tx.execute(text(f"EXPLAIN {statement}")))

    assert "order_history_pkey" in plan
    assert "orders_pkey" in plan


def test_a_stream_outlives_a_lost_database_connection(db: Database, ana: Ana) -> None:
    placed = ana.place().json["id"]
    look = _Changes(db, placed, 1)
    look()
    with db.transaction() as tx:
        tx.execute(text("SET LOCAL statement_timeout = '20s'"))
        others = "usename = current_user AND pid <> pg_backend_pid()"
        tx.execute(
            text(f"SELECT pg_terminate_backend(pid, 15000) FROM pg_stat_activity WHERE {others}")
        )
    lost = look()
    tell(db, placed, "stock.reserved")

    found = [look(), look()]

    assert lost == News()
    assert [event[1] for news in found for event in events_in("".join(news.frames))] == [2]
