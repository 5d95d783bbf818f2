"""Ten orders a minute and customer: never eleven, and never a repeat refused."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common.auth import Role
from common.db import Database
from common.testing import bearer, published
from flask.testing import FlaskClient
from order.domain import OrderLine
from order.settings import ORDERS_PER_MINUTE
from order.store.rates import _NTH_NEWEST
from order.use_cases import orders as use_cases
from order.use_cases.orders import Placement
from order_fixtures import Ana
from sqlalchemy import NullPool, create_engine, text

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


def analyze_orders(db: Database) -> None:
    """As autovacuum does, but now: what it knows else is of other tests' rows."""
    owner = create_engine(db.engine.url.set(username="postgres"), poolclass=NullPool)
    with owner.begin() as connection:
        connection.execute(text('ANALYZE "order".orders'))


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


def test_the_count_reads_ten_rows_of_the_customers_own(db: Database) -> None:
    line = OrderLine("MUG-1", "Mug", 1, 250)
    for begin in range(0, 1_000, 200):
        with db.transaction() as tx:
            for number in range(begin, begin + 200):
                who = f"guest-{number}" if number % 80 else "ana"
                bought = Placement(who, "ana@shoppers.example", "USD", "pm_ok", (line,))
                use_cases.place_order(tx, bought, NOW + timedelta(seconds=number))
    analyze_orders(db)
    counting = _NTH_NEWEST.text.split(";")[1]
    asked = {"customer_id": "ana", "newer": ORDERS_PER_MINUTE - 1}

    with db.transaction() as tx:
        explained = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {counting}"
        plan: dict[str, Any] = tx.execute(text(explained), asked).scalar_one()[0]["Plan"]

    (scan,) = plan["Plans"]
    assert (scan["Index Name"], scan["Actual Rows"]) == ("orders_of_customer", ORDERS_PER_MINUTE)


@pytest.mark.parametrize("rate", ["0", "-1", "none", ""])
def test_there_is_no_rate_that_turns_the_limit_off(
    monkeypatch: pytest.MonkeyPatch, rate: str
) -> None:
    from order.settings import Settings
    from pydantic import ValidationError

    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg2://order_service@/order")
    monkeypatch.setenv("JWT_SECRET", "x" * 32)
    monkeypatch.setenv("CATALOG_URL", "http://catalog")
    default = Settings().order_rate_per_minute
    monkeypatch.setenv("ORDER_RATE_PER_MINUTE", rate)

    with pytest.raises(ValidationError):
        Settings()

    assert default == 10
