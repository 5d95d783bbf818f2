"""What is promised to which order."""

from dataclasses import asdict
from datetime import timedelta

from sqlalchemy import Connection, func, insert, select, text, update

from inventory.domain import Line, Reservation, ReservationState, ReservationView
from inventory.store.tables import reservation, reservation_lines, reservations

# Skips what somebody decides at this moment: it need not be asked about any more, and a sweeper
# that waits for nobody is no part of any ring.
_DUE = text("""
WITH due AS (
  SELECT order_id FROM reservations
   WHERE state = 'held' AND asked_at <= now() - CAST(:ttl AS interval)
   ORDER BY asked_at LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE reservations SET asked_at = now() FROM due
 WHERE reservations.order_id = due.order_id
RETURNING CAST(reservations.order_id AS text) AS order_id
""")


def view_reservation(tx: Connection, order_id: str, ttl: timedelta) -> ReservationView | None:
    """The reservation with its lines; held ones expire *ttl* after they were last asked about."""
    row = tx.execute(select(reservations).where(reservations.c.order_id == order_id)).one_or_none()
    if row is None:
        return None
    held = row.state == ReservationState.HELD
    return ReservationView(
        reservation(row),
        tuple(reserved_lines(tx, order_id)),
        row.created_at,
        row.asked_at + ttl if held else None,
    )


def reserved_lines(tx: Connection, order_id: str) -> list[Line]:
    """What the order holds, held or bought; empty if nothing ever was."""
    rows = tx.execute(
        select(reservation_lines.c.sku, reservation_lines.c.quantity)
        .where(reservation_lines.c.order_id == order_id)
        .order_by(reservation_lines.c.sku.collate("C"))
    )
    return [Line(row.sku, row.quantity) for row in rows]


def add_reservation(tx: Connection, new: Reservation) -> None:
    """Add one that holds nothing; `stock.hold` adds those that do."""
    tx.execute(
        insert(reservations).values(
            order_id=new.order_id,
            state=new.state,
            context=asdict(new.payable) if new.payable else None,
            missing=[asdict(each) for each in new.missing] or None,
        )
    )


def set_state(tx: Connection, order_id: str, state: ReservationState) -> None:
    tx.execute(
        update(reservations)
        .where(reservations.c.order_id == order_id)
        .values(state=state, updated_at=func.now())
    )


def due_for_question(tx: Connection, ttl: timedelta, batch: int) -> list[str]:
    """Orders whose stock is held for *ttl* since they were last asked; they are asked now."""
    return [row.order_id for row in tx.execute(_DUE, {"ttl": ttl, "batch": batch})]
