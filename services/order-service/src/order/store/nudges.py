"""Which orders are due to be asked about again, and when they will be next. Decides nothing."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select, update

from order.domain import Order, OrderStatus
from order.store.orders import to_order
from order.store.tables import orders

_UNDECIDED = (orders.c.status == OrderStatus.PENDING) & orders.c.cancellation_requested.is_(None)


def due_for_nudge(tx: Connection, now: datetime, limit: int) -> list[tuple[Order, datetime]]:
    """Orders that have waited too long, with their deadlines; locked, others' locks skipped.

    First those that nobody has decided yet: they alone have a deadline, and are gone by then. Of
    the others one may be due for ever, whose neighbour can never do what it is asked for.
    """
    found = list(tx.execute(_due(now, limit).where(_UNDECIDED)))
    if len(found) < limit:
        found += tx.execute(_due(now, limit - len(found)).where(~_UNDECIDED))
    return [(to_order(row), row.deadline_at) for row in found]


def _due(now: datetime, limit: int) -> Select[Any]:
    return (
        select(orders)
        .where(orders.c.next_nudge_at <= now)
        .order_by(orders.c.next_nudge_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def schedule_nudge(tx: Connection, order_id: str, at: datetime) -> None:
    tx.execute(
        update(orders)
        .where(orders.c.id == order_id)
        .values(next_nudge_at=at, nudges=orders.c.nudges + 1)
    )
