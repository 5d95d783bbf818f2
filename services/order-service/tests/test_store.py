"""What PostgreSQL keeps, and what it refuses whatever the code does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from common.db import Database
from common.ids import new_id
from common.testing import analyze
from order.domain import (
    CancelReason,
    HistoryEntry,
    Order,
    OrderLine,
    OrderStatus,
    OrderView,
    Totals,
    Wanted,
)
from order.store import orders as store
from order.store.tables import orders
from sqlalchemy import event, insert, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LINES = (OrderLine("MUG-1", "Müg ✓", 2, 250), OrderLine("LAMP-1", "Lamp", 1, 3_000_000_000))


def an_order(**changes: object) -> Order:
    order = Order(
        id=new_id(), customer_id="ana", email="ana@shoppers.example", currency="USD",
        totals=Totals(500, 599, 40), payment_method="pm_ok", status=OrderStatus.PENDING,
        placed_at=NOW, updated_at=NOW, traceparent="00-1-2-01",
    )  # fmt: skip
    return replace(order, **changes)  # type: ignore[arg-type]


def add(db: Database, order: Order, lines: tuple[OrderLine, ...] = LINES) -> Order:
    with db.transaction() as tx:
        store.add(tx, order, lines, deadline_at=NOW, next_nudge_at=NOW)
    return order


def test_an_order_is_read_as_it_was_added(db: Database) -> None:
    order = add(db, an_order())

    with db.transaction() as tx:
        assert store.get(tx, order.id) == order
        assert store.lines_of(tx, order.id) == LINES
        assert store.view(tx, order.id) == OrderView(
            order, LINES, (HistoryEntry(1, OrderStatus.PENDING, "order.placed", NOW),)
        )


def test_an_order_of_200_lines_is_one_statement(db: Database) -> None:
    lines = tuple(OrderLine(f"SKU-{n}", f"No. {n}", 1, 1 + n) for n in range(200))
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *said: statements.append(said[2]))

    order = add(db, an_order(), lines)

    assert len(statements) == 1
    with db.transaction() as tx:
        assert store.lines_of(tx, order.id) == lines


def test_a_change_is_kept_with_its_line_of_history(db: Database) -> None:
    order = add(db, an_order())
    later = NOW + timedelta(microseconds=1)
    cancelled = replace(
        order, status=OrderStatus.CANCELLED, cancel_reason=CancelReason.OUT_OF_STOCK,
        stock_settled=True, payment_settled=True, version=2, updated_at=later,
    )  # fmt: skip

    with db.transaction() as tx:
        store.save(tx, cancelled, "stock.rejected")

    with db.transaction() as tx:
        view = store.view(tx, order.id)
    assert view is not None
    assert view.order == cancelled
    assert view.history[1:] == (HistoryEntry(2, OrderStatus.CANCELLED, "stock.rejected", later),)


def test_nobody_is_found_under_an_id_of_nobody(db: Database) -> None:
    with db.transaction() as tx:
        assert store.get(tx, new_id()) is None
        assert store.view(tx, new_id()) is None


@pytest.mark.parametrize(
    "assignment",
    [
        "status = 'cancelled'",
        "cancel_reason = 'out_of_stock'",
        "status = 'shipped'",
        "total_minor = 0",
        "stock_settled = true, payment_settled = true",
        "next_nudge_at = NULL",
    ],
    ids=["no reason", "no cancellation", "no status", "free", "settled and watched", "forgotten"],
)
def test_what_no_order_can_be_is_refused(db: Database, assignment: str) -> None:
    add(db, an_order())

    with pytest.raises(IntegrityError), db.transaction() as tx:
        tx.execute(text(f"UPDATE orders SET {assignment}"))


def test_a_version_is_written_once(db: Database) -> None:
    order = add(db, an_order())

    with pytest.raises(IntegrityError), db.transaction() as tx:
        store.save(tx, order, "payment.authorized")


@pytest.mark.parametrize("table", ["order_history", "order_lines"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET order_id = order_id", "DELETE FROM {}", "TRUNCATE {}"]
)
def test_history_and_lines_are_only_ever_added(db: Database, table: str, statement: str) -> None:
    add(db, an_order())

    with pytest.raises(ProgrammingError, match="permission denied"), db.transaction() as tx:
        tx.execute(text(statement.format(table)))


def test_a_killed_process_leaves_nothing_of_an_unfinished_order(db: Database) -> None:
    order = an_order()
    tx = db.engine.connect()
    tx.begin()
    store.add(tx, order, LINES, deadline_at=NOW, next_nudge_at=NOW)

    tx.connection.driver_connection.close()  # type: ignore[union-attr]  What kill -9 does to it.
    tx.invalidate()
    tx.close()

    with db.transaction() as other:
        assert store.view(other, order.id) is None


@pytest.fixture
def many(db: Database) -> list[str]:
    """Ids of a thousand orders, one a minute from NOW on; the first and the third are pending."""
    rows = [
        {
            **dict.fromkeys(("subtotal_minor", "shipping_minor", "tax_minor"), 100),
            "id": str(UUID(int=(unix_ms(at := NOW + timedelta(minutes=number)) << 80) + number)),
            "customer_id": f"guest-{number}", "email": "ana@shoppers.example", "currency": "USD",
            "total_minor": 300, "refunded_minor": 0, "payment_method": "pm_ok",
            "status": "pending" if number in {0, 2} else "confirmed", "version": 1,
            "stock_settled": False, "payment_settled": False, "placed_at": at, "updated_at": at,
            "deadline_at": at, "next_nudge_at": at, "nudges": 0,
        }
        for number in range(1_000)
    ]  # fmt: skip
    with db.transaction() as tx:
        tx.execute(insert(orders), rows)
    analyze(db, '"order".orders')
    return [row["id"] for row in rows]


def unix_ms(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


SECOND = NOW + timedelta(minutes=1)
LAST = NOW + timedelta(minutes=999)


@pytest.mark.parametrize(
    ("wanted", "before", "found", "index", "bounds"),
    [
        (Wanted(placed_before=SECOND), None, [0], "orders_pkey", ["<"]),
        (Wanted(placed_after=LAST), None, [999], "orders_pkey", [">="]),
        (
            Wanted(status=OrderStatus.CANCELLED, placed_before=SECOND, placed_after=NOW),
            None, [], "orders_pkey", ["<", ">="],
        ),
        (Wanted(status=OrderStatus.PENDING), None, [2, 0], "orders_pending", []),
        (Wanted(status=OrderStatus.PENDING), 2, [0], "orders_pending", ["<"]),
        (
            Wanted(customer_id="guest-0", placed_before=SECOND),
            None, [0], "orders_of_customer", ["<"],
        ),
    ],
    ids=["before", "after", "between", "pending", "more that is pending", "somebody's"],
)  # fmt: skip
def test_a_list_walks_through_none_that_its_filter_excludes(
    db: Database, many: list[str], wanted: Wanted, before: int | None, found: list[int],
    index: str, bounds: list[str],
) -> None:  # fmt: skip
    sent: list[tuple[str, Any]] = []
    cursor = None if before is None else many[before]

    with db.transaction() as tx:
        event.listen(tx, "before_cursor_execute", lambda *said: sent.append(said[2:4]))
        listed = [order.id for order in store.page(tx, wanted, cursor, 20)]
        statement, asked = sent[0]
        explained = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}"
        plan: dict[str, Any] = tx.exec_driver_sql(explained, asked).scalar_one()[0]["Plan"]

    [scan] = plan["Plans"]
    assert listed == [many[number] for number in found]
    assert scan.get("Index Name") == index
    assert all(f"(id {bound} " in scan.get("Index Cond", "") for bound in bounds)
    # Those of the minute's margin are looked at.
    assert scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) <= len(found) + 2


@pytest.mark.parametrize(
    "moment",
    [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)],
    ids=["first", "last"],
)
def test_no_moment_is_too_far_to_list_from(db: Database, moment: datetime) -> None:
    order = add(db, an_order())

    with db.transaction() as tx:
        after = store.page(tx, Wanted(placed_after=moment), None, 20)
        until = store.page(tx, Wanted(placed_before=moment), None, 20)

    assert sorted((after, until), key=len) == [[], [order]]


@pytest.mark.parametrize("seconds", [-59, 59], ids=["earlier", "later"])
def test_a_list_finds_an_order_whose_id_is_of_another_moment(db: Database, seconds: int) -> None:
    made_ms = unix_ms(NOW + timedelta(seconds=seconds))
    order = add(db, an_order(id=str(UUID(int=made_ms << 80))))

    with db.transaction() as tx:
        after = store.page(tx, Wanted(placed_after=NOW), None, 20)
        until = store.page(tx, Wanted(placed_before=NOW + timedelta(seconds=1)), None, 20)

    assert after == until == [order]
