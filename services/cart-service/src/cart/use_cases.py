"""What the cart service does: one function per use case, in the caller's transaction.

Each write takes the versions of the cart it was meant for; None means any.
"""

from collections.abc import Collection, Mapping

import structlog
from sqlalchemy import Connection

from cart import domain, store
from cart.domain import Cart, Line

log = structlog.get_logger()

Versions = Collection[int] | None


def read_cart(tx: Connection, customer_id: str) -> Cart:
    return store.get(tx, customer_id)


def replace_cart(
    tx: Connection, customer_id: str, lines: tuple[Line, ...], versions: Versions = None
) -> Cart:
    """lines: 0-200, unique by SKU. Raises CartChanged."""
    if versions is not None:
        domain.expect(store.get_locked(tx, customer_id), versions)
    return Cart(customer_id, lines, store.replace_lines(tx, customer_id, lines))


def put_line(tx: Connection, customer_id: str, line: Line, versions: Versions = None) -> Cart:
    """Raises CartChanged, CartFull."""
    cart = store.get_locked(tx, customer_id)
    domain.expect(cart, versions)
    return _save(tx, cart, domain.put_line(cart, line))


def remove_line(tx: Connection, customer_id: str, sku: str, versions: Versions = None) -> Cart:
    """Raises CartChanged."""
    cart = store.get_locked(tx, customer_id)
    domain.expect(cart, versions)
    return _save(tx, cart, domain.remove_line(cart, sku))


def empty_cart(tx: Connection, customer_id: str, versions: Versions = None) -> Cart:
    """Raises CartChanged."""
    return replace_cart(tx, customer_id, (), versions)


def take_out_bought(
    tx: Connection, order_id: str, customer_id: str, bought: Mapping[str, int]
) -> None:
    """Remove what an order bought (SKU -> quantity), once an order.

    The order service says `order.confirmed` again, as a new event, while it waits for others;
    the inbox does not know that one, the order's id does.
    """
    if not store.mark_bought(tx, order_id):
        log.info("already_taken_out", order_id=order_id)
        return
    cart = store.find_locked(tx, customer_id)
    if cart is not None:
        _save(tx, cart, domain.remove_bought(cart, bought))


def _save(tx: Connection, before: Cart, after: Cart) -> Cart:
    if after != before:
        store.replace_lines(tx, after.customer_id, after.lines)
    return after
