"""Returns and refunds. Knows SQL and `domain`; decides nothing. Lock the order first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from order.domain import Return, ReturnStatus
from order.store.tables import refunds, return_lines, returns

_quantities = (
    select(func.json_object_agg(return_lines.c.sku, return_lines.c.quantity))
    .where(return_lines.c.return_id == returns.c.id)
    .scalar_subquery()
    .label("quantities")
)
_refunded_minor = (
    select(func.coalesce(func.sum(refunds.c.amount_minor), 0))
    .where(refunds.c.order_id == returns.c.order_id, refunds.c.return_id == returns.c.id)
    .scalar_subquery()
    .label("refunded_minor")
)
_shown = select(returns, _quantities, _refunded_minor)


def add(tx: Connection, one: Return) -> None:
    tx.execute(
        insert(returns).values(
            id=one.id,
            order_id=one.order_id,
            status=one.status,
            reason=one.reason,
            amount_minor=one.amount_minor,
            restocked=False,
            requested_at=one.requested_at,
            nudges=0,
        )
    )
    tx.execute(
        insert(return_lines),
        [
            {"return_id": one.id, "sku": sku, "quantity": quantity}
            for sku, quantity in one.quantities.items()
        ],
    )


def of_order(tx: Connection, order_id: str) -> list[Return]:
    """Oldest first."""
    rows = tx.execute(_shown.where(returns.c.order_id == order_id).order_by(returns.c.id))
    return [_return(row) for row in rows]


def save(tx: Connection, one: Return, now: datetime, next_nudge_at: datetime | None) -> None:
    """next_nudge_at: None once money and shelf have answered."""
    is_refunded = one.status is ReturnStatus.REFUNDED
    tx.execute(
        update(returns)
        .where(returns.c.id == one.id)
        .values(
            status=one.status,
            restocked=one.restocked,
            received_at=func.coalesce(returns.c.received_at, now),
            refunded_at=func.coalesce(returns.c.refunded_at, now) if is_refunded else None,
            next_nudge_at=next_nudge_at,
        )
    )


def due_for_nudge(tx: Connection, now: datetime, limit: int) -> Sequence[Return]:
    """Received returns that have waited too long; locked, others' locks skipped."""
    due = (
        select(returns.c.id)
        .where(returns.c.next_nudge_at <= now)
        .order_by(returns.c.next_nudge_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(tx.execute(due).scalars())
    rows = tx.execute(_shown.where(returns.c.id.in_(ids))) if ids else ()
    return [_return(row) for row in rows]


def schedule_nudge(tx: Connection, return_id: str, at: datetime) -> None:
    tx.execute(
        update(returns)
        .where(returns.c.id == return_id)
        .values(next_nudge_at=at, nudges=returns.c.nudges + 1)
    )


def add_refund(
    tx: Connection, refund_id: str, order_id: str, return_id: str | None, amount_minor: int
) -> bool:
    """Whether this refund is new: payment may tell of it again."""
    statement = (
        pg_insert(refunds)
        .values(
            refund_id=refund_id, order_id=order_id, return_id=return_id, amount_minor=amount_minor
        )
        .on_conflict_do_nothing()
    )
    return tx.execute(statement).rowcount == 1


def _return(row: Row[Any]) -> Return:
    return Return(
        id=row.id,
        order_id=row.order_id,
        status=ReturnStatus(row.status),
        reason=row.reason,
        amount_minor=row.amount_minor,
        quantities=row.quantities,
        requested_at=row.requested_at,
        refunded_minor=int(row.refunded_minor),
        restocked=row.restocked,
        nudges=row.nudges,
    )
