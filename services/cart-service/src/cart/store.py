"""Carts in PostgreSQL. Knows SQL and `domain`; decides nothing.

A cart is read and written whole, so it is one row, with its lines as JSON.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID, insert

from cart.domain import Cart, Line

metadata = MetaData()

carts = Table(
    "carts",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("lines", JSONB, nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
bought_orders = Table(
    "bought_orders",
    metadata,
    Column("order_id", UUID(as_uuid=False), primary_key=True),
    Column("taken_out_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

_CART = select(carts.c.lines, carts.c.version).where(
    carts.c.customer_id == bindparam("customer_id")
)
_EMPTY = (
    insert(carts)
    .values(customer_id=bindparam("customer_id"), lines=[], version=0)
    .on_conflict_do_nothing()
)
_INSERT = insert(carts).values(
    customer_id=bindparam("customer_id"),
    lines=cast(bindparam("lines", type_=Text), JSONB),
    version=1,
)
_REPLACE = _INSERT.on_conflict_do_update(
    index_elements=[carts.c.customer_id],
    set_={
        "lines": _INSERT.excluded.lines,
        "version": carts.c.version + 1,
        "updated_at": func.now(),
    },
).returning(carts.c.version)


def get(tx: Connection, customer_id: str) -> Cart:
    """The customer's cart; an empty one, at version 0, before the first change."""
    row = tx.execute(_CART, {"customer_id": customer_id}).one_or_none()
    return _cart(customer_id, row) if row else Cart(customer_id)


def get_locked(tx: Connection, customer_id: str) -> Cart:
    """As `get`, and nobody else changes it until this transaction ends.

    A cart that does not exist cannot be locked, so it is made.
    """
    locking = _CART.with_for_update()
    row = tx.execute(locking, {"customer_id": customer_id}).one_or_none()
    if row is None:
        tx.execute(_EMPTY, {"customer_id": customer_id})
        row = tx.execute(locking, {"customer_id": customer_id}).one()
    return _cart(customer_id, row)


def find_locked(tx: Connection, customer_id: str) -> Cart | None:
    """The locked cart, or None if there is none; makes none."""
    row = tx.execute(_CART.with_for_update(), {"customer_id": customer_id}).one_or_none()
    return _cart(customer_id, row) if row else None


def replace_lines(tx: Connection, customer_id: str, lines: Sequence[Line]) -> int:
    """Make *lines* the whole cart, in one statement; the version it has now."""
    document = orjson.dumps(lines).decode()
    version: int = tx.execute(
        _REPLACE, {"customer_id": customer_id, "lines": document}
    ).scalar_one()
    return version


def mark_bought(tx: Connection, order_id: str) -> bool:
    """Whether *order_id* is new here; marks it if this transaction commits."""
    statement = insert(bought_orders).values(order_id=order_id).on_conflict_do_nothing()
    return tx.execute(statement).rowcount == 1


def _cart(customer_id: str, row: Row[*tuple[Any, ...]]) -> Cart:
    lines = tuple(Line(line["sku"], line["quantity"]) for line in row.lines)
    return Cart(customer_id, lines, row.version)
