"""Who may change what until the transaction ends. One order of locks for everybody (ADR-0012).

First the orders, by key; then SKUs that are new; then the stock of the others, by SKU in the order
of bytes. Whoever takes locks in this order only, and all of one kind in one go, waits for nobody
who waits for them.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Connection, text

from inventory.domain import Reservation, Stock
from inventory.store.tables import reservation, stocks

# An advisory lock, because an order that comes for the first time has no row to lock. Its key has
# 63 bits of the order's id, which for a UUIDv7 are its random ones.
_KEY_BITS = (1 << 63) - 1

_LOCK_ORDERS = text(
    "SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS k (key)"
)
# NO KEY, because a SKU never changes: lines that only refer to it need not wait.
_LOCK_STOCK = text("""
SELECT sku, on_hand, reserved FROM stock
 WHERE sku = ANY(CAST(:skus AS text[]))
 ORDER BY sku COLLATE "C" FOR NO KEY UPDATE
""")
_LOCK_STOCK_OF_ORDERS = text("""
SELECT sku FROM stock
 WHERE sku = ANY(ARRAY(
         SELECT unnest(CAST(:skus AS text[]))
          UNION
         SELECT sku FROM reservation_lines WHERE order_id = ANY(CAST(:order_ids AS uuid[]))))
 ORDER BY sku COLLATE "C" FOR NO KEY UPDATE
""")
# Two statements in one round trip, which the driver allows: the second sees what was committed
# while the first one waited.
_LOCK_RESERVATION = text("""
SELECT pg_advisory_xact_lock(:key);
SELECT CAST(order_id AS text) AS order_id, state, context, missing FROM reservations
 WHERE order_id = CAST(:order_id AS uuid)
""")
# Waits for whoever adds the same SKU at this moment; does not wait for a row that is there.
_ADD_UNKNOWN = text("""
INSERT INTO stock (sku, on_hand, reserved)
SELECT sku, 0, 0 FROM unnest(CAST(:skus AS text[])) AS w (sku) ORDER BY sku COLLATE "C"
ON CONFLICT (sku) DO NOTHING RETURNING sku
""")


def lock_orders(tx: Connection, order_ids: Iterable[str]) -> None:
    """Nobody else handles anything of these orders until this transaction ends."""
    tx.execute(_LOCK_ORDERS, {"keys": sorted({_key(order_id) for order_id in order_ids})})


def lock_reservation(tx: Connection, order_id: str) -> Reservation | None:
    """As `lock_orders` of one order; its reservation, if it has one."""
    row = tx.execute(_LOCK_RESERVATION, {"key": _key(order_id), "order_id": order_id}).one_or_none()
    return reservation(row) if row else None


def lock_stock(tx: Connection, skus: Sequence[str]) -> dict[str, Stock]:
    """The stock of those *skus* that ever had any, by SKU; nobody else changes it now."""
    return {found.sku: found for found in stocks(tx.execute(_LOCK_STOCK, {"skus": list(skus)}))}


def lock_stock_of_orders(tx: Connection, order_ids: Sequence[str], skus: Sequence[str]) -> None:
    """Lock *skus* and those that *order_ids* (locked before, so that they stay) have lines of."""
    tx.execute(_LOCK_STOCK_OF_ORDERS, {"order_ids": list(order_ids), "skus": list(skus)})


def add_unknown(tx: Connection, skus: Sequence[str]) -> set[str]:
    """Those of *skus* that never had any stock; they are known from now on, with none of it.

    Call before `lock_stock`: a SKU that is new can only be waited for while nothing is locked
    that the one who adds it may want.
    """
    return {row.sku for row in tx.execute(_ADD_UNKNOWN, {"skus": list(skus)})}


def _key(order_id: str) -> int:
    return UUID(order_id).int & _KEY_BITS
