"""Orders, their lines and their history. Knows SQL and `domain`; decides nothing."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Insert,
    Integer,
    Row,
    ScalarSelect,
    Text,
    bindparam,
    cast,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import UUID, aggregate_order_by
from sqlalchemy.types import TypeEngine

from order.domain import (
    CancelReason,
    Changes,
    HistoryEntry,
    Order,
    OrderLine,
    OrderStatus,
    OrderView,
    Totals,
    Wanted,
)
from order.store import ids
from order.store.tables import order_history, order_lines, orders


def add(
    tx: Connection,
    order: Order,
    lines: Sequence[OrderLine],
    *,
    deadline_at: datetime,
    next_nudge_at: datetime,
) -> None:
    """The order, its lines and the first entry of its history, in one statement."""
    placed = insert(orders).values(
        id=order.id,
        customer_id=order.customer_id,
        email=order.email,
        currency=order.currency,
        subtotal_minor=order.totals.subtotal_minor,
        shipping_minor=order.totals.shipping_minor,
        tax_minor=order.totals.tax_minor,
        total_minor=order.total_minor,
        refunded_minor=0,
        payment_method=order.payment_method,
        client_token=order.client_token,
        status=order.status,
        version=order.version,
        stock_settled=False,
        payment_settled=False,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        deadline_at=deadline_at,
        next_nudge_at=next_nudge_at,
        nudges=0,
        traceparent=order.traceparent,
    )
    # Arrays: as many parameters for 200 lines as for one, so that the statement is compiled once.
    columns = (
        func.unnest(
            _array([line.sku for line in lines], Text()),
            _array([line.name for line in lines], Text()),
            _array([line.quantity for line in lines], Integer()),
            _array([line.unit_price_minor for line in lines], BigInteger()),
        )
        .table_valued(
            "sku", "name", "quantity", "unit_price_minor", with_ordinality="ordinality", name="line"
        )
        .render_derived()
    )
    bought = insert(order_lines).from_select(
        ["order_id", "position", "sku", "name", "quantity", "unit_price_minor"],
        select(
            bindparam("line_order_id", order.id, UUID(as_uuid=False)),
            columns.c.ordinality - 1,
            columns.c.sku,
            columns.c.name,
            columns.c.quantity,
            columns.c.unit_price_minor,
        ),
    )
    noted = _history(order, "order.placed").add_cte(placed.cte("placed"), bought.cte("bought"))
    tx.execute(noted)


def save(tx: Connection, order: Order, event: str) -> None:
    """The changed order and why it changed, in one statement. A settled order is not watched."""
    changes: dict[str, Any] = {
        "status": order.status,
        "cancel_reason": order.cancel_reason,
        "cancellation_requested": order.cancellation_requested,
        "stock_settled": order.stock_settled,
        "payment_settled": order.payment_settled,
        "refunded_minor": order.refunded_minor,
        "action_url": order.action_url,
        "version": order.version,
        "updated_at": order.updated_at,
    }
    if order.settled:
        changes["next_nudge_at"] = None
    changed = update(orders).where(orders.c.id == order.id).values(changes)
    tx.execute(_history(order, event).add_cte(changed.cte("changed")))


def lock(tx: Connection, order_ids: Collection[str]) -> None:
    """All of them, in one order whoever asks; those that there are not are passed over."""
    tx.execute(
        select(orders.c.id)
        .where(orders.c.id.in_(order_ids))
        .order_by(orders.c.id)
        .with_for_update()
    )


def get(tx: Connection, order_id: str) -> Order | None:
    """The order, its row locked until the transaction ends."""
    row = tx.execute(select(orders).where(orders.c.id == order_id).with_for_update()).one_or_none()
    return to_order(row) if row else None


def customer_of(tx: Connection, order_id: str) -> str | None:
    """Whose it is; None if there is no such order. Waits for nobody who changes it."""
    whose: str | None = tx.scalar(select(orders.c.customer_id).where(orders.c.id == order_id))
    return whose


def find(tx: Connection, order_id: str) -> Order:
    """An order that is known to be there, to look at only."""
    return to_order(tx.execute(select(orders).where(orders.c.id == order_id)).one())


def view(tx: Connection, order_id: str) -> OrderView | None:
    """The order with its lines and history, to look at only: one statement, so one moment."""
    row = tx.execute(
        select(orders, _lines_json, _history_json).where(orders.c.id == order_id)
    ).one_or_none()
    if row is None:
        return None
    history = tuple(
        HistoryEntry(version, OrderStatus(status), event, datetime.fromisoformat(at))
        for version, status, event, at in row.history
    )
    return OrderView(to_order(row), tuple(OrderLine(*line) for line in row.lines), history)


def changes_after(tx: Connection, order_id: str, version: int) -> Changes:
    """One statement, so that what it finds and whether it is the last are of one moment."""
    rows = tx.execute(
        select(
            order_history.c.version,
            order_history.c.status,
            order_history.c.event,
            order_history.c.at,
            (orders.c.stock_settled & orders.c.payment_settled).label("settled"),
        )
        .join(orders, orders.c.id == order_history.c.order_id)
        .where(order_history.c.order_id == order_id, order_history.c.version > version)
        .order_by(order_history.c.version)
    ).all()
    noted = (HistoryEntry(row.version, OrderStatus(row.status), row.event, row.at) for row in rows)
    return Changes(tuple(noted), settled=bool(rows) and rows[-1].settled)


def lines_of(tx: Connection, order_id: str) -> tuple[OrderLine, ...]:
    statement = (
        select(
            order_lines.c.sku,
            order_lines.c.name,
            order_lines.c.quantity,
            order_lines.c.unit_price_minor,
        )
        .where(order_lines.c.order_id == order_id)
        .order_by(order_lines.c.position)
    )
    return tuple(OrderLine(*row) for row in tx.execute(statement))


def placed_by(tx: Connection, customer_id: str, client_token: str) -> str:
    """The id of the order that this key of the customer's is known to have placed."""
    found: str = tx.execute(
        select(orders.c.id).where(
            orders.c.customer_id == customer_id, orders.c.client_token == client_token
        )
    ).scalar_one()
    return found


def page(tx: Connection, wanted: Wanted, before: str | None, limit: int) -> list[Order]:
    """Orders, newest first (ids sort by time), from the one after *before* on.

    What a moment excludes is not walked through: its bound on ids is in the index.
    """
    statement = select(orders)
    if wanted.customer_id:
        statement = statement.where(orders.c.customer_id == wanted.customer_id)
    if wanted.status:
        statement = statement.where(orders.c.status == wanted.status)
    if wanted.placed_after:
        since = orders.c.id >= ids.first_since(wanted.placed_after)
        statement = statement.where(since, orders.c.placed_at >= wanted.placed_after)
    if wanted.placed_before:
        until = orders.c.id < ids.first_after(wanted.placed_before)
        statement = statement.where(until, orders.c.placed_at < wanted.placed_before)
    if before:
        statement = statement.where(orders.c.id < before)
    return [
        to_order(row) for row in tx.execute(statement.order_by(orders.c.id.desc()).limit(limit))
    ]


def _history(order: Order, event: str) -> Insert:
    return insert(order_history).values(
        order_id=order.id,
        version=order.version,
        status=order.status,
        event=event,
        at=order.updated_at,
    )


def _array(values: list[Any], of: TypeEngine[Any]) -> ColumnElement[Any]:
    """Cast, because an array of small numbers looks like another type to PostgreSQL."""
    return cast(literal(values, ARRAY(of)), ARRAY(of))


def _rows_json(order_by: Column[Any], *columns: Column[Any]) -> ScalarSelect[Any]:
    """The rows of one order as a JSON array of arrays."""
    table = order_by.table
    row = func.json_build_array(*columns)
    return (
        select(func.json_agg(aggregate_order_by(row, order_by)))
        .where(table.c.order_id == orders.c.id)
        .scalar_subquery()
    )


_lines_json = _rows_json(
    order_lines.c.position,
    order_lines.c.sku,
    order_lines.c.name,
    order_lines.c.quantity,
    order_lines.c.unit_price_minor,
).label("lines")
_history_json = _rows_json(
    order_history.c.version,
    order_history.c.version,
    order_history.c.status,
    order_history.c.event,
    order_history.c.at,
).label("history")


def to_order(row: Row[Any]) -> Order:
    return Order(
        id=row.id,
        customer_id=row.customer_id,
        email=row.email,
        currency=row.currency,
        totals=Totals(row.subtotal_minor, row.shipping_minor, row.tax_minor),
        refunded_minor=row.refunded_minor,
        action_url=row.action_url,
        client_token=row.client_token,
        payment_method=row.payment_method,
        status=OrderStatus(row.status),
        placed_at=row.placed_at,
        updated_at=row.updated_at,
        cancel_reason=CancelReason(row.cancel_reason) if row.cancel_reason else None,
        cancellation_requested=(
            CancelReason(row.cancellation_requested) if row.cancellation_requested else None
        ),
        stock_settled=row.stock_settled,
        payment_settled=row.payment_settled,
        version=row.version,
        nudges=row.nudges,
        traceparent=row.traceparent,
    )
