"""Stock, reservations and movements in PostgreSQL. Knows SQL and `domain`; decides nothing.

All lines of an order are changed, and written into the book of movements, by one statement.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from common.events import metadata
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Integer,
    Row,
    Table,
    Text,
    any_,
    bindparam,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from inventory.domain import (
    AvailabilityChange,
    Line,
    Missing,
    Payable,
    Reservation,
    ReservationState,
    Stock,
)

stock = Table(
    "stock",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("on_hand", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
)
reservations = Table(
    "reservations",
    metadata,
    Column("order_id", UUID(as_uuid=False), primary_key=True),
    Column("state", Text, nullable=False),
    Column("context", JSONB(none_as_null=True)),
    Column("missing", JSONB(none_as_null=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
reservation_lines = Table(
    "reservation_lines",
    metadata,
    Column("order_id", UUID(as_uuid=False), primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("quantity", Integer, nullable=False),
)
# The book `movements` has no Table: it is written by the statements below, and by nothing else.

# Any number that nobody else in this database takes: "stock" in ASCII.
WRITER_LOCK = 0x73746F636B

# Built once; an array is one parameter, however many SKUs there are.
_LEVELS = select(stock).where(stock.c.sku == any_(bindparam("skus", type_=ARRAY(Text))))

# The condition repeats what was decided before: whoever evades the lock meets it.
_HOLD = text("""
WITH wanted AS (
  SELECT * FROM unnest(CAST(:skus AS text[]), CAST(:quantities AS integer[])) AS w (sku, quantity)
), changed AS (
  UPDATE stock SET reserved = stock.reserved + wanted.quantity
    FROM wanted
   WHERE stock.sku = wanted.sku AND stock.on_hand - stock.reserved >= wanted.quantity
  RETURNING stock.sku, wanted.quantity, stock.on_hand - stock.reserved AS available
), line AS (
  INSERT INTO reservation_lines (order_id, sku, quantity)
  SELECT CAST(:order_id AS uuid), sku, quantity FROM changed
), movement AS (
  INSERT INTO movements (sku, delta_on_hand, delta_reserved, reason, order_id, cause_event_id)
  SELECT sku, 0, quantity, 'reserve', CAST(:order_id AS uuid), CAST(:cause AS uuid) FROM changed
)
SELECT sku, available + quantity AS before, available AS after FROM changed
""")
_RELEASE = text("""
WITH changed AS (
  UPDATE stock SET reserved = stock.reserved - line.quantity
    FROM reservation_lines AS line
   WHERE line.order_id = CAST(:order_id AS uuid) AND stock.sku = line.sku
  RETURNING stock.sku, line.quantity, stock.on_hand - stock.reserved AS available
), movement AS (
  INSERT INTO movements (sku, delta_on_hand, delta_reserved, reason, order_id, cause_event_id)
  SELECT sku, 0, -quantity, 'release', CAST(:order_id AS uuid), CAST(:cause AS uuid) FROM changed
)
SELECT sku, available - quantity AS before, available AS after FROM changed
""")
_COMMIT = text("""
WITH changed AS (
  UPDATE stock SET on_hand = stock.on_hand - line.quantity,
                   reserved = stock.reserved - line.quantity
    FROM reservation_lines AS line
   WHERE line.order_id = CAST(:order_id AS uuid) AND stock.sku = line.sku
  RETURNING stock.sku, line.quantity
)
INSERT INTO movements (sku, delta_on_hand, delta_reserved, reason, order_id, cause_event_id)
SELECT sku, -quantity, -quantity, 'commit', CAST(:order_id AS uuid), CAST(:cause AS uuid)
  FROM changed
""")
_RECEIVE = text("""
WITH wanted AS (
  SELECT * FROM unnest(CAST(:skus AS text[]), CAST(:quantities AS integer[])) AS w (sku, quantity)
), changed AS (
  INSERT INTO stock (sku, on_hand, reserved) SELECT sku, quantity, 0 FROM wanted
  ON CONFLICT (sku) DO UPDATE SET on_hand = stock.on_hand + excluded.on_hand
  RETURNING sku, on_hand, reserved
), movement AS (
  INSERT INTO movements (sku, delta_on_hand, delta_reserved, reason, note)
  SELECT sku, quantity, 0, 'receipt', :note FROM wanted
)
SELECT sku, on_hand, reserved FROM changed
""")
_ADJUST = text("""
WITH changed AS (
  UPDATE stock SET on_hand = on_hand + :delta WHERE sku = :sku RETURNING sku, on_hand, reserved
), movement AS (
  INSERT INTO movements (sku, delta_on_hand, delta_reserved, reason, note)
  SELECT sku, :delta, 0, 'adjustment', :note FROM changed
)
SELECT sku, on_hand, reserved FROM changed
""")


class StockMoved(RuntimeError):
    """Stock changed between being read and being held, so somebody wrote without the lock."""


def become_only_writer(tx: Connection) -> None:
    """Nobody else changes stock until this transaction ends; those who want to, wait.

    A worker handles ten orders in one transaction and so comes to hold the rows of ninety
    SKUs, in the order of the orders and not of the SKUs. Two workers with the rows alone
    locked would soon wait for each other: with real baskets any two batches share several
    SKUs. Sorting cannot help across orders, and leaving it to `lock_timeout` costs half a
    second each time. They would hardly run side by side anyway, for want of one popular SKU.
    So there is one lock, taken first, and no ring can form. Whoever waits for it longer than
    `lock_timeout` gives up: a request answers 503, a batch is tried again one event at a time,
    and an event that still cannot have it is delivered again later.
    """
    tx.execute(select(func.pg_advisory_xact_lock(WRITER_LOCK)))


def levels(tx: Connection, skus: Sequence[str]) -> dict[str, Stock]:
    """The stock of those *skus* that ever had any, by SKU."""
    rows = tx.execute(_LEVELS, {"skus": list(skus)})
    return {found.sku: found for found in _stocks(rows)}


def find_reservation(tx: Connection, order_id: str) -> Reservation | None:
    row = tx.execute(select(reservations).where(reservations.c.order_id == order_id)).one_or_none()
    return _reservation(row) if row else None


def reserved_lines(tx: Connection, order_id: str) -> list[Line]:
    """What the order holds, held or bought; empty if nothing ever was."""
    rows = tx.execute(
        select(reservation_lines.c.sku, reservation_lines.c.quantity)
        .where(reservation_lines.c.order_id == order_id)
        .order_by(reservation_lines.c.sku)
    )
    return [Line(row.sku, row.quantity) for row in rows]


def add_reservation(tx: Connection, reservation: Reservation) -> None:
    tx.execute(
        insert(reservations).values(
            order_id=reservation.order_id,
            state=reservation.state,
            context=asdict(reservation.payable) if reservation.payable else None,
            missing=[asdict(each) for each in reservation.missing] or None,
        )
    )


def set_state(tx: Connection, order_id: str, state: ReservationState) -> None:
    tx.execute(
        update(reservations)
        .where(reservations.c.order_id == order_id)
        .values(state=state, updated_at=func.now())
    )


def hold(
    tx: Connection, order_id: str, lines: Sequence[Line], cause: str
) -> list[AvailabilityChange]:
    """Reserve *lines* (unique by SKU) for the order. Raises StockMoved."""
    changes = _changes(tx.execute(_HOLD, {**_arrays(lines), "order_id": order_id, "cause": cause}))
    if len(changes) != len(lines):
        raise StockMoved(f"order {order_id}: {len(changes)} of {len(lines)} lines held")
    return changes


def release(tx: Connection, order_id: str, cause: str) -> list[AvailabilityChange]:
    """Give back all that the order holds."""
    return _changes(tx.execute(_RELEASE, {"order_id": order_id, "cause": cause}))


def commit(tx: Connection, order_id: str, cause: str) -> None:
    """Take all that the order holds off the shelf; what is available does not change."""
    tx.execute(_COMMIT, {"order_id": order_id, "cause": cause})


def receive(tx: Connection, lines: Sequence[Line], note: str) -> list[Stock]:
    """Add *lines* (unique by SKU) to what is on hand; the stock of their SKUs then."""
    return _stocks(tx.execute(_RECEIVE, {**_arrays(lines), "note": note}))


def adjust(tx: Connection, sku: str, delta: int, note: str) -> Stock:
    """Add *delta* pieces, or take them away, of a SKU that exists."""
    return _stocks(tx.execute(_ADJUST, {"sku": sku, "delta": delta, "note": note}))[0]


def _arrays(lines: Sequence[Line]) -> dict[str, object]:
    return {
        "skus": [line.sku for line in lines],
        "quantities": [line.quantity for line in lines],
    }


def _stocks(rows: Iterable[Row[Any]]) -> list[Stock]:
    return [Stock(row.sku, row.on_hand, row.reserved) for row in rows]


def _changes(rows: Iterable[Row[Any]]) -> list[AvailabilityChange]:
    return [AvailabilityChange(row.sku, row.before, row.after) for row in rows]


def _reservation(row: Row[Any]) -> Reservation:
    return Reservation(
        row.order_id,
        ReservationState(row.state),
        Payable(**row.context) if row.context else None,
        tuple(Missing(**each) for each in row.missing or ()),
    )
