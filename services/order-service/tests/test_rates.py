"""Ten orders a minute and customer, thirty an hour and address: never one more, and never a repeat
refused."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common.auth import Role
from common.db import Database
from common.testing import AT_ONCE, analyze, bearer, published
from flask.testing import FlaskClient
from order.domain import OrderLine
from order.settings import ORDERS_PER_HOUR_PER_RECIPIENT, ORDERS_PER_MINUTE
from order.store.rates import (
    _NTH_NEWEST,
    find_nth_newest_of_customer_to,
    lock_and_find_nth_newest,
)
from order.use_cases import orders as use_cases
from order.use_cases.orders import Placement
from order_fixtures import Ana
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def place(ana: Ana, times: int, start: int = 0) -> list[int]:
    return [ana.place(f"k-{number}").status_code for number in range(start, start + times)]


def age(db: Database, seconds: float) -> None:
    """All orders become older."""
    with db.transaction() as tx:
        tx.execute(
            text("UPDATE orders SET placed_at = placed_at - make_interval(secs => :secs)"),
            {"secs": seconds},
        )


def count(db: Database) -> int:
    with db.transaction() as tx:
        return tx.scalar(text("SELECT count(*) FROM orders")) or 0


def test_the_eleventh_order_of_a_minute_waits(db: Database, ana: Ana) -> None:
    accepted = place(ana, ORDERS_PER_MINUTE)

    refused = ana.place("one-too-many")

    assert set(accepted) == {202}
    assert (refused.status_code, refused.json["type"]) == (429, "/problems/too-many-orders")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.json["retry_after_s"] == int(refused.headers["Retry-After"])
    assert count(db) == len(published(db)) == ORDERS_PER_MINUTE


def test_a_repeat_is_neither_counted_nor_refused(db: Database, ana: Ana) -> None:
    first = ana.place("k-0")
    repeats = [ana.place("k-0").data for _ in range(2 * ORDERS_PER_MINUTE)]
    rest = place(ana, ORDERS_PER_MINUTE - 1, start=1)

    again = ana.place("k-0")

    assert set(repeats) == {first.data}
    assert set(rest) == {202}
    assert (again.status_code, again.data) == (202, first.data)
    assert ana.place("new").status_code == 429


def test_not_even_a_repeat_whose_answer_is_forgotten(db: Database, ana: Ana) -> None:
    placed = ana.place("k-0").json["id"]
    place(ana, ORDERS_PER_MINUTE - 1, start=1)
    with db.transaction() as tx:
        tx.execute(text("DELETE FROM idempotency_keys"))  # As after 72 hours.

    again = ana.place("k-0")

    assert (again.status_code, again.json["id"]) == (202, placed)
    assert count(db) == ORDERS_PER_MINUTE


def test_the_key_of_a_refused_order_is_free_for_the_next_minute(db: Database, ana: Ana) -> None:
    place(ana, ORDERS_PER_MINUTE)
    refused = ana.place("later").status_code
    age(db, 60)

    accepted = ana.place("later").status_code

    assert (refused, accepted) == (429, 202)


def test_the_minute_slides(db: Database, ana: Ana) -> None:
    place(ana, 5)
    age(db, 30)
    place(ana, 5, start=5)
    full = ana.place("full").headers["Retry-After"]
    age(db, 30)

    statuses = place(ana, 6, start=20)

    assert 25 <= int(full) <= 30  # When the oldest of the ten is a minute old.
    assert statuses == [202] * 5 + [429]


def test_everybody_has_a_minute_of_their_own(client: FlaskClient, ana: Ana) -> None:
    place(ana, ORDERS_PER_MINUTE)
    ben = Ana(client)
    ben.headers = bearer(Role.CUSTOMER, "ben")

    assert ana.place("more").status_code == 429
    assert ben.place("k-0").status_code == 202


def guest(client: FlaskClient, name: str) -> Ana:
    made = Ana(client)
    made.headers = bearer(Role.GUEST, name)
    return made


def place_as_strangers(client: FlaskClient, first: int, last: int, email: str) -> list[int]:
    return [
        guest(client, f"stranger-{number}").place(f"k-{number}", email=email).status_code
        for number in range(first, last)
    ]


def test_strangers_together_order_thirty_times_an_hour_to_one_address(
    db: Database, client: FlaskClient
) -> None:
    victim = "victim@shoppers.example"
    accepted = place_as_strangers(client, 0, ORDERS_PER_HOUR_PER_RECIPIENT, victim)
    age(db, 600)

    refused = guest(client, "late").place("late", email="VICTIM@shoppers.example")
    elsewhere = guest(client, "late").place("late", email="somebody@shoppers.example")
    age(db, 3_000)

    assert set(accepted) == {202}
    assert (refused.status_code, refused.json["type"]) == (429, "/problems/too-many-orders")
    assert 2_990 <= int(refused.headers["Retry-After"]) <= 3_000
    assert elsewhere.status_code == 202
    assert guest(client, "late").place("later", email=victim).status_code == 202


def test_strangers_do_not_keep_an_addresss_owner_from_ordering(
    db: Database, client: FlaskClient, ana: Ana
) -> None:
    victim = "victim@shoppers.example"
    first = ana.place("first", email=victim)
    age(db, 3_600)
    place_as_strangers(client, 0, ORDERS_PER_HOUR_PER_RECIPIENT, victim)

    assert guest(client, "late").place("late", email=victim).status_code == 429
    assert ana.place("second", email=victim).status_code == 202
    assert ana.place("first", email=victim).json["id"] == first.json["id"]


def test_strangers_who_order_at_once_are_counted_all_the_same(
    db: Database, client: FlaskClient
) -> None:
    victim = "victim@shoppers.example"
    place_as_strangers(client, 0, ORDERS_PER_HOUR_PER_RECIPIENT - 1, victim)
    barrier = threading.Barrier(10)

    def order(number: int) -> int:
        barrier.wait()
        stranger = guest(client.application.test_client(), f"at-once-{number}")
        return stranger.place("k", email=victim).status_code

    with ThreadPoolExecutor(10) as threads:
        statuses = Counter(threads.map(order, range(10)))

    assert set(statuses) <= {202, 429, 503}  # Some found no connection in time.
    assert (statuses[202], count(db)) in {(1, ORDERS_PER_HOUR_PER_RECIPIENT), (0, 29)}


def test_fifty_orders_at_once_are_ten(db: Database, ana: Ana) -> None:
    barrier, answers = threading.Barrier(50), []

    def order(number: int) -> None:
        barrier.wait()
        answers.append(ana.place(f"k-{number}"))

    threads = [threading.Thread(target=order, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Some of them found no connection in time; they come again, as they were told.
    last = place(ana, 50)

    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {202, 429, 503}
    assert count(db) == ORDERS_PER_MINUTE
    assert Counter(last)[202] == ORDERS_PER_MINUTE
    assert Counter(last)[429] == 50 - ORDERS_PER_MINUTE


def test_the_count_reads_as_many_rows_as_may_be(db: Database) -> None:
    line = OrderLine("MUG-1", "Mug", 1, 250)
    for begin in range(0, 1_000, 200):
        with db.transaction() as tx:
            for number in range(begin, begin + 200):
                who = f"guest-{number}" if number % 80 else "ana"
                email = f"{who}@shoppers.example" if number % 25 else "ana@shoppers.example"
                bought = Placement(who, email, "USD", "pm_ok", (line,))
                use_cases.place_order(tx, bought, NOW + timedelta(seconds=number))
    analyze(db, '"order".orders')
    counting = _NTH_NEWEST.text.split(";")[1]
    asked = {
        "customer_id": "ana",
        "newer_of_customer": ORDERS_PER_MINUTE - 1,
        "email": "ana@shoppers.example",
        "newer_to_recipient": ORDERS_PER_HOUR_PER_RECIPIENT - 1,
    }

    with db.transaction() as tx:
        tx.execute(text("SET LOCAL enable_sort = off"))  # It costs nothing, of forty rows.
        explained = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {counting}"
        plan: dict[str, Any] = tx.execute(text(explained), asked).scalar_one()[0]["Plan"]

    scans = [scan for limit in plan["Plans"] for scan in limit["Plans"]]
    assert [(scan["Index Name"], scan["Actual Rows"]) for scan in scans] == [
        ("orders_of_customer", ORDERS_PER_MINUTE),
        ("orders_to_recipient", ORDERS_PER_HOUR_PER_RECIPIENT),
    ]


def test_the_count_of_a_customers_own_reads_those_of_its_hour_alone(db: Database) -> None:
    line = OrderLine("MUG-1", "Mug", 1, 250)
    for begin in range(0, 600, 200):
        with db.transaction() as tx:
            for number in range(begin, begin + 200):
                email = "ben@shoppers.example" if number % 10 else "ana@shoppers.example"
                bought = Placement("ana", email, "USD", "pm_ok", (line,))
                use_cases.place_order(tx, bought, NOW + timedelta(seconds=number))
    analyze(db, '"order".orders')
    sent: list[tuple[str, Any]] = []
    after = NOW + timedelta(seconds=399)

    with db.transaction() as tx:
        tx.execute(text("SET LOCAL enable_sort = off"))  # It costs nothing, of twenty rows.
        event.listen(tx, "before_cursor_execute", lambda *said: sent.append(said[2:4]))
        nth = find_nth_newest_of_customer_to(tx, "ana", "Ana@shoppers.example", 20, after=after)
        statement, asked = sent[0]
        explained = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}"
        plan: dict[str, Any] = tx.exec_driver_sql(explained, asked).scalar_one()[0]["Plan"]

    [scan] = plan["Plans"]
    assert nth == NOW + timedelta(seconds=400)
    assert (scan.get("Index Name"), scan["Actual Rows"]) == ("orders_to_recipient", 20)
    assert "placed_at" in scan["Index Cond"]


@pytest.mark.parametrize("name", ["ORDER_RATE_PER_MINUTE", "ORDERS_PER_HOUR_PER_RECIPIENT"])
@pytest.mark.parametrize("rate", ["0", "-1", "none", ""])
def test_there_is_no_rate_that_turns_a_limit_off(
    monkeypatch: pytest.MonkeyPatch, name: str, rate: str
) -> None:
    from order.settings import Settings
    from pydantic import ValidationError

    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg2://order_service@/order")
    monkeypatch.setenv("JWT_SECRET", "x" * 32)
    monkeypatch.setenv("CATALOG_URL", "http://catalog")
    defaults = Settings()
    monkeypatch.setenv(name, rate)

    with pytest.raises(ValidationError):
        Settings()

    assert defaults.order_rate_per_minute == 10
    assert defaults.orders_per_hour_per_recipient == 30


def test_one_order_in_somebodys_name_makes_nobody_an_acquaintance(
    db: Database, client: FlaskClient
) -> None:
    victim, one = "victim@shoppers.example", guest(client, "one")
    for number in range(ORDERS_PER_HOUR_PER_RECIPIENT):
        assert one.place(f"k-{number}", email=victim).status_code == 202
        if number % ORDERS_PER_MINUTE == ORDERS_PER_MINUTE - 1:
            age(db, 60)

    refused = one.place("late", email=victim)

    assert (refused.status_code, refused.json["type"]) == (429, "/problems/too-many-orders")


def test_nor_do_one_order_and_an_hours_wait(db: Database, ana: Ana) -> None:
    victim = "victim@shoppers.example"
    ana.place("first", email=victim)
    age(db, 3_600)
    for number in range(ORDERS_PER_HOUR_PER_RECIPIENT):
        assert ana.place(f"k-{number}", email=victim).status_code == 202
        if number % ORDERS_PER_MINUTE == ORDERS_PER_MINUTE - 1:
            age(db, 60)

    refused = ana.place("late", email="VICTIM@shoppers.example")
    elsewhere = ana.place("late", email="somebody@shoppers.example")
    age(db, 3_420)

    assert (refused.status_code, refused.json["type"]) == (429, "/problems/too-many-orders")
    assert 3_410 <= int(refused.headers["Retry-After"]) <= 3_420
    assert elsewhere.status_code == 202
    assert ana.place("later", email=victim).status_code == 202


def test_spellings_of_one_address_wait_for_one_another(db: Database) -> None:
    def ask(customer_id: str, email: str) -> None:
        with db.transaction() as second:
            second.execute(AT_ONCE)
            lock_and_find_nth_newest(second, customer_id, 10, email, 30)

    with db.transaction() as first:
        lock_and_find_nth_newest(first, "ana", 10, "Victim@shoppers.example", 30)
        ask("ben", "somebody.else@shoppers.example")
        with pytest.raises(OperationalError, match="lock timeout"):
            ask("ben", "victim@shoppers.example")
