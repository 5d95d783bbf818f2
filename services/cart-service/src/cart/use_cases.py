"""What the cart service does: one function per use case, in the caller's transaction.

Each write takes the version of the cart it was meant for; None means any. What raises
VersionMismatch comes from `common.etags`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from common import etags
from common.metrics import meter
from sqlalchemy import Connection

from cart import domain, store
from cart.domain import Cart, Line, Merge, Owner

log = structlog.get_logger()
merges = meter.create_counter("app.carts.merged", unit="{cart}")
expired = meter.create_counter("app.carts.expired", unit="{cart}")


@dataclass(frozen=True, slots=True)
class Shopper:
    """Whose cart it is."""

    id: str
    owner: Owner


def read_cart(tx: Connection, customer_id: str) -> Cart:
    return store.get(tx, customer_id)


def replace_cart(
    tx: Connection, shopper: Shopper, lines: tuple[Line, ...], version: int | None = None
) -> Cart:
    """lines: 0-200, unique by SKU. Raises VersionMismatch."""
    if version is not None:
        _get_locked(tx, shopper, version)
    return Cart(shopper.id, lines, store.replace_lines(tx, shopper.id, shopper.owner, lines))


def put_line(tx: Connection, shopper: Shopper, line: Line, version: int | None = None) -> Cart:
    """Raises VersionMismatch, CartFull."""
    cart = _get_locked(tx, shopper, version)
    return _save(tx, shopper, cart, domain.put_line(cart, line))


def add(
    tx: Connection, shopper: Shopper, sku: str, quantity: int, version: int | None = None
) -> Cart:
    """quantity: negative takes out. Raises VersionMismatch, CartFull, QuantityTooLarge."""
    cart = _get_locked(tx, shopper, version)
    return _save(tx, shopper, cart, domain.add(cart, sku, quantity))


def remove_line(tx: Connection, shopper: Shopper, sku: str, version: int | None = None) -> Cart:
    """Raises VersionMismatch."""
    cart = _get_locked(tx, shopper, version)
    return _save(tx, shopper, cart, domain.remove_line(cart, sku))


def empty_cart(tx: Connection, shopper: Shopper, version: int | None = None) -> Cart:
    """Raises VersionMismatch."""
    return replace_cart(tx, shopper, (), version)


def merge(tx: Connection, customer: Shopper, guest_id: str, version: int | None = None) -> Merge:
    """Move a guest's lines into the customer's cart; the guest's is empty afterwards (ADR-0011).

    Twice is as good as once. The caller has seen that the guest is this customer. Prices the
    guest was shown count as shown to the customer. Raises VersionMismatch.
    """
    store.make(tx, customer.id, customer.owner)
    locked = store.lock_all(tx, {customer.id, guest_id})
    cart, guest_cart = locked[customer.id], locked.get(guest_id)
    etags.check(version, cart.version)
    if guest_cart is None or not guest_cart.lines:
        return Merge(cart)
    merged = domain.merge(cart, guest_cart.lines)
    _save(tx, customer, cart, merged.cart)
    shown, came = store.shown_prices(tx, guest_id), {line.sku for line in merged.merged}
    store.note_shown(tx, customer.id, {sku: shown[sku] for sku in came & shown.keys()})
    store.empty_into(tx, guest_id, customer.id)
    merges.add(1, {"left_out": bool(merged.left_out)})
    return merged


def read_for_quote(tx: Connection, customer_id: str) -> tuple[Cart, dict[str, int]]:
    """The cart, and the prices its shopper knows."""
    return store.get(tx, customer_id), store.shown_prices(tx, customer_id)


def note_shown(tx: Connection, customer_id: str, prices: Mapping[str, int]) -> None:
    """*prices* (SKU -> minor units) are what later ones are compared with, where none were yet."""
    store.note_shown(tx, customer_id, prices)


def accept_prices(
    tx: Connection, customer_id: str, prices: Mapping[str, int], version: int | None = None
) -> Cart:
    """The shopper has seen *prices* and goes on: later ones are compared with these.

    What is not in the cart is passed over. The cart and its version stay. Raises VersionMismatch.
    """
    cart = store.lock_all(tx, {customer_id}).get(customer_id) or Cart(customer_id)
    etags.check(version, cart.version)
    in_cart = {line.sku for line in cart.lines}
    accepted = {sku: price for sku, price in prices.items() if sku in in_cart}
    if accepted:
        store.accept_prices(tx, customer_id, accepted)
    return cart


def lock_for_orders(tx: Connection, customer_ids: Collection[str]) -> set[str]:
    """Lock every cart that orders of these shoppers may be taken out of; whose they are.

    In one order for a whole batch. A guest who signs in between the two statements has a cart
    that is locked later, out of order: if two batches then wait for one another, one of them is
    rolled back and comes again.
    """
    concerned = {*customer_ids, *store.merged_into(tx, customer_ids).values()}
    store.lock_all(tx, concerned)
    return concerned


def take_out_bought(
    tx: Connection, order_id: str, customer_id: str, bought: Mapping[str, int]
) -> None:
    """Remove what an order bought (SKU -> quantity), once an order.

    The order service says `order.confirmed` again, as a new event, while it waits for others;
    the inbox does not know that one, the order's id does. What a guest bought before signing in
    may be in the customer's cart by now, so what is not found here is looked for there.
    """
    if not store.mark_bought(tx, order_id):
        log.info("already_taken_out", order_id=order_id)
        return
    missing = _take_out(tx, customer_id, bought)
    customer = store.merged_into(tx, [customer_id]).get(customer_id)
    if missing and customer:
        _take_out(tx, customer, missing)


def expire(tx: Connection, now: datetime, batch_size: int) -> list[str]:
    """Delete guests' carts and empty customers' that nobody has changed for long; whose they were.

    At most *batch_size* of either.
    """
    guests = store.delete_guests(tx, now - domain.GUEST_CART_LIVES, batch_size)
    customers = store.empty_customers(tx, now - domain.CUSTOMER_CART_LIVES, batch_size)
    for owner, found in ((Owner.GUEST, guests), (Owner.CUSTOMER, customers)):
        expired.add(len(found), {"owner": owner})
    return guests + customers


def _get_locked(tx: Connection, shopper: Shopper, version: int | None) -> Cart:
    cart = store.get_locked(tx, shopper.id, shopper.owner)
    etags.check(version, cart.version)
    return cart


def _save(tx: Connection, shopper: Shopper, before: Cart, after: Cart) -> Cart:
    if after != before:
        store.replace_lines(tx, shopper.id, shopper.owner, after.lines)
    return after


def _take_out(tx: Connection, customer_id: str, bought: Mapping[str, int]) -> Mapping[str, int]:
    """What of *bought* was not in the cart."""
    cart = store.lock_all(tx, {customer_id}).get(customer_id)
    if cart is None:
        return bought
    after, missing = domain.remove_bought(cart, bought)
    if after != cart:
        store.save_lines(tx, after)
    return missing
