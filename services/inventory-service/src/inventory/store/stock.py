"""Balances: every statement that changes them writes the book of movements too."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import orjson
from sqlalchemy import Connection, Row, any_, bindparam, select, text
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import ARRAY

from inventory.domain import AvailabilityChange, Change, Line, Reservation, Stock
from inventory.store.tables import arrays, stock, stocks

# Built once; an array is one parameter, however many SKUs there are.
_LEVELS = select(stock).where(stock.c.sku == any_(bindparam("skus", type_=ARRAY(SqlText))))

# The condition repeats what was decided before: whoever evades the locks meets it.
_HOLD = text("""
WITH wanted AS (
  SELECT * FROM unnest(CAST(:skus AS text[]), CAST(:quantities AS integer[])) AS w (sku, quantity)
), reservation AS (
  INSERT INTO reservations (order_id, state, context)
  VALUES (CAST(:order_id AS uuid), 'held', CAST(:context AS jsonb))
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
  UPDATE stock SET on_hand = stock.on_hand + wanted.quantity
    FROM wanted WHERE stock.sku = wanted.sku
  RETURNING stock.sku, wanted.quantity, stock.on_hand, stock.reserved
), movement AS (
  INSERT INTO movements (
    sku, delta_on_hand, delta_reserved, reason, note, actor, return_id, cause_event_id)
  SELECT sku, quantity, 0, :reason, CAST(:note AS text), CAST(:actor AS text),
         CAST(:return_id AS uuid), CAST(:cause AS uuid)
    FROM changed
)
SELECT sku, on_hand, reserved FROM changed ORDER BY sku COLLATE "C"
""")
_ADJUST = text("""
WITH changed AS (
  UPDATE stock SET on_hand = on_hand + :delta
   WHERE sku = :sku AND on_hand - reserved + :delta >= 0
  RETURNING sku, on_hand, reserved
), movement AS (
  INSERT INTO movements (sku, delta_on_hand, delta_reserved, reason, note, actor)
  SELECT sku, :delta, 0, :reason, :note, :actor FROM changed
)
SELECT sku, on_hand, reserved FROM changed
""")


class StockMoved(RuntimeError):
    """Stock changed between being read and being changed, so somebody wrote without the lock."""


def levels(tx: Connection, skus: Sequence[str]) -> dict[str, Stock]:
    """The stock of those *skus* that ever had any, by SKU."""
    return {found.sku: found for found in stocks(tx.execute(_LEVELS, {"skus": list(skus)}))}


def list_stock(
    tx: Connection, after: str, available: tuple[int, int | None], limit: int
) -> list[Stock]:
    """At most *limit* by SKU, from behind *after*, with (least, most) pieces available.

    No index has what is available: it would be changed by every sale. So a rare level may read
    all of the table, which is some ten milliseconds for a whole shop.
    """
    free = stock.c.on_hand - stock.c.reserved
    least, most = available
    statement = (
        select(stock).where(stock.c.sku > after, free >= least).order_by(stock.c.sku).limit(limit)
    )
    return stocks(tx.execute(statement if most is None else statement.where(free <= most)))


def hold(
    tx: Connection, reservation: Reservation, lines: Sequence[Line], cause: str
) -> list[AvailabilityChange]:
    """Add *reservation*, which holds *lines* (unique by SKU). Raises StockMoved."""
    payable = asdict(reservation.payable) if reservation.payable else None
    parameters = {
        **arrays(lines),
        "order_id": reservation.order_id,
        "context": orjson.dumps(payable).decode(),
        "cause": cause,
    }
    changes = _changes(tx.execute(_HOLD, parameters))
    if len(changes) != len(lines):
        raise StockMoved(f"order {reservation.order_id}: {len(changes)} of {len(lines)} lines held")
    return changes


def release(tx: Connection, order_id: str, cause: str) -> list[AvailabilityChange]:
    """Give back all that the order holds."""
    return _changes(tx.execute(_RELEASE, {"order_id": order_id, "cause": cause}))


def commit(tx: Connection, order_id: str, cause: str) -> None:
    """Take all that the order holds off the shelf; what is available does not change."""
    tx.execute(_COMMIT, {"order_id": order_id, "cause": cause})


def receive(tx: Connection, lines: Sequence[Line], change: Change) -> list[Stock]:
    """Add *lines* (unique by SKU, each known) to what is on hand; their stock then, by SKU."""
    return _received(tx, lines, **asdict(change), return_id=None, cause=None)


def restock(tx: Connection, return_id: str, lines: Sequence[Line], cause: str) -> list[Stock]:
    """As `receive`, of what comes back by a return."""
    return _received(
        tx, lines, reason="return", note=None, actor=None, return_id=return_id, cause=cause
    )


def adjust(tx: Connection, sku: str, delta: int, change: Change) -> Stock:
    """Add *delta* pieces, or take them away. Raises StockMoved if they are not there to take."""
    rows = stocks(tx.execute(_ADJUST, {"sku": sku, "delta": delta, **asdict(change)}))
    if not rows:
        raise StockMoved(f"{sku}: {delta} pieces not adjusted")
    return rows[0]


def _received(tx: Connection, lines: Sequence[Line], **book: str | None) -> list[Stock]:
    left = stocks(tx.execute(_RECEIVE, {**arrays(lines), **book}))
    if len(left) != len(lines):
        raise StockMoved(f"{len(left)} of {len(lines)} lines received")
    return left


def _changes(rows: Iterable[Row[Any]]) -> list[AvailabilityChange]:
    return [AvailabilityChange(row.sku, row.before, row.after) for row in rows]
