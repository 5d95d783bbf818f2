"""Carts in PostgreSQL. Knows SQL and `domain`; decides nothing.

A cart is read and written whole, so it is one row, with its lines as JSON.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
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
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID, insert

from cart.domain import Cart, Line, Owner

metadata = MetaData()

carts = Table(
    "carts",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("lines", JSONB, nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("merged_into", Text),  # the customer whom this guest turned out to be
    Column("shown_prices", JSONB, nullable=False),  # SKU -> minor units
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
    .values(
        customer_id=bindparam("customer_id"),
        owner=bindparam("owner"),
        lines=[],
        version=0,
        shown_prices={},
    )
    .on_conflict_do_nothing()
)
_INSERT = insert(carts).values(
    customer_id=bindparam("customer_id"),
    owner=bindparam("owner"),
    lines=cast(bindparam("lines", type_=Text), JSONB),
    version=1,
    shown_prices={},
)
# A price that was shown is of use as long as its line is in the cart. Most carts have none.
_STILL_SHOWN = """
CASE WHEN carts.shown_prices = '{{}}' THEN carts.shown_prices ELSE
(SELECT coalesce(jsonb_object_agg(shown.key, shown.value), '{{}}')
   FROM jsonb_each(carts.shown_prices) AS shown
  WHERE shown.key IN (SELECT line->>'sku' FROM jsonb_array_elements({lines}) AS line)) END
"""
_REPLACE = _INSERT.on_conflict_do_update(
    index_elements=[carts.c.customer_id],
    set_={
        "owner": _INSERT.excluded.owner,
        "lines": _INSERT.excluded.lines,
        "version": carts.c.version + 1,
        "updated_at": func.now(),
        "shown_prices": text(_STILL_SHOWN.format(lines="excluded.lines")),
    },
).returning(carts.c.version)
_SAVE = (
    update(carts)
    .where(carts.c.customer_id == bindparam("id"))
    .values(
        lines=cast(bindparam("new_lines", type_=Text), JSONB),
        version=carts.c.version + 1,
        updated_at=func.now(),
        shown_prices=text(_STILL_SHOWN.format(lines="cast(:new_lines AS jsonb)")),
    )
)
_SHOWN = cast(bindparam("shown", type_=Text), JSONB)
_GUESTS_OF_BEFORE = (
    select(carts.c.customer_id)
    .where(carts.c.owner == Owner.GUEST, carts.c.updated_at < bindparam("before"))
    .order_by(carts.c.updated_at)
    .limit(bindparam("at_most"))
    .with_for_update(skip_locked=True)
)
_CUSTOMERS_OF_BEFORE = (
    select(carts.c.customer_id)
    .where(
        carts.c.owner == Owner.CUSTOMER,
        carts.c.lines != text("'[]'"),
        carts.c.updated_at < bindparam("before"),
    )
    .order_by(carts.c.updated_at)
    .limit(bindparam("at_most"))
    .with_for_update(skip_locked=True)
)


def get(tx: Connection, customer_id: str) -> Cart:
    """The customer's cart; an empty one, at version 0, before the first change."""
    row = tx.execute(_CART, {"customer_id": customer_id}).one_or_none()
    return _cart(customer_id, row) if row else Cart(customer_id)


def get_locked(tx: Connection, customer_id: str, owner: Owner) -> Cart:
    """As `get`, and nobody else changes it until this transaction ends.

    A cart that does not exist cannot be locked, so it is made.
    """
    locking = _CART.with_for_update()
    row = tx.execute(locking, {"customer_id": customer_id}).one_or_none()
    if row is None:
        make(tx, customer_id, owner)
        row = tx.execute(locking, {"customer_id": customer_id}).one()
    return _cart(customer_id, row)


def make(tx: Connection, customer_id: str, owner: Owner) -> None:
    """An empty cart at version 0, unless there is one."""
    tx.execute(_EMPTY, {"customer_id": customer_id, "owner": owner})


def lock_all(tx: Connection, customer_ids: Collection[str]) -> dict[str, Cart]:
    """Those of the carts that exist, locked in the order of their ids: nobody waits in a ring."""
    rows = tx.execute(
        select(carts.c.customer_id, carts.c.lines, carts.c.version)
        .where(carts.c.customer_id.in_(customer_ids))
        .order_by(carts.c.customer_id)
        .with_for_update()
    )
    return {row.customer_id: _cart(row.customer_id, row) for row in rows}


def merged_into(tx: Connection, customer_ids: Collection[str]) -> dict[str, str]:
    """Guest -> customer, of those guests who turned out to be one."""
    rows = tx.execute(
        select(carts.c.customer_id, carts.c.merged_into).where(
            carts.c.customer_id.in_(customer_ids), carts.c.merged_into.is_not(None)
        )
    )
    return {row.customer_id: row.merged_into for row in rows}


def replace_lines(tx: Connection, customer_id: str, owner: Owner, lines: Sequence[Line]) -> int:
    """Make *lines* the whole cart, in one statement; the version it has now."""
    document = orjson.dumps(lines).decode()
    version: int = tx.execute(
        _REPLACE, {"customer_id": customer_id, "owner": owner, "lines": document}
    ).scalar_one()
    return version


def save_lines(tx: Connection, cart: Cart) -> None:
    """The new lines of a cart that exists and is locked; whose it is stays as it was."""
    tx.execute(_SAVE, {"id": cart.customer_id, "new_lines": orjson.dumps(cart.lines).decode()})


def empty_into(tx: Connection, guest_id: str, customer_id: str) -> None:
    """Nothing is left in the locked guest's cart, and it is known where it went."""
    tx.execute(
        update(carts)
        .where(carts.c.customer_id == guest_id)
        .values(
            owner=Owner.GUEST,
            lines=[],
            version=carts.c.version + 1,
            updated_at=func.now(),
            merged_into=customer_id,
            shown_prices={},
        )
    )


def shown_prices(tx: Connection, customer_id: str) -> dict[str, int]:
    """SKU -> the price that this shopper was shown first, or accepted last."""
    row = tx.execute(
        select(carts.c.shown_prices).where(carts.c.customer_id == customer_id)
    ).one_or_none()
    return dict(row.shown_prices) if row else {}


def note_shown(tx: Connection, customer_id: str, prices: Mapping[str, int]) -> None:
    """Remember *prices* for SKUs that had none; the first stays. Changes no version."""
    _set_shown(tx, customer_id, prices, _SHOWN + carts.c.shown_prices)


def accept_prices(tx: Connection, customer_id: str, prices: Mapping[str, int]) -> None:
    """Remember *prices* in place of those known before. Changes no version."""
    _set_shown(tx, customer_id, prices, carts.c.shown_prices + _SHOWN)


def _set_shown(tx: Connection, customer_id: str, prices: Mapping[str, int], merged: Any) -> None:
    tx.execute(
        update(carts).where(carts.c.customer_id == customer_id).values(shown_prices=merged),
        {"shown": orjson.dumps(dict(prices)).decode()},
    )


def mark_bought(tx: Connection, order_id: str) -> bool:
    """Whether *order_id* is new here; marks it if this transaction commits."""
    statement = insert(bought_orders).values(order_id=order_id).on_conflict_do_nothing()
    return tx.execute(statement).rowcount == 1


def delete_guests(tx: Connection, before: datetime, at_most: int) -> list[str]:
    """Delete guests' carts unchanged since *before*, oldest first; whose they were.

    A cart that somebody has locked is passed over: it is being changed.
    """
    found = list(tx.scalars(_GUESTS_OF_BEFORE, {"before": before, "at_most": at_most}))
    tx.execute(delete(carts).where(carts.c.customer_id.in_(found)))
    return found


def empty_customers(tx: Connection, before: datetime, at_most: int) -> list[str]:
    """Empty customers' carts unchanged since *before*; whose they are.

    Their rows stay: a version that began again at 0 could be taken for one that somebody read.
    """
    found = list(tx.scalars(_CUSTOMERS_OF_BEFORE, {"before": before, "at_most": at_most}))
    tx.execute(
        update(carts)
        .where(carts.c.customer_id.in_(found))
        .values(lines=[], version=carts.c.version + 1, updated_at=func.now(), shown_prices={})
    )
    return found


def _cart(customer_id: str, row: Row[*tuple[Any, ...]]) -> Cart:
    lines = tuple(Line(line["sku"], line["quantity"]) for line in row.lines)
    return Cart(customer_id, lines, row.version)
