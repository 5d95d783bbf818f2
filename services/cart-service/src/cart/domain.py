"""Carts: what they hold, how they change and what they are quoted. Knows no SQL, no HTTP."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from common.errors import Invalid, Unavailable

# As many as an order may have; real baskets have up to 161 lines.
LINES_MAX: Final = 200
# As many of one product as one order may ask for.
QUANTITY_MAX: Final = 100
# An article number of the catalog's; safe in a path, a log line and a file name.
SKU_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
# A guest who has not come back within a week comes back as another guest.
GUEST_CART_LIVES: Final = timedelta(days=7)
# A season: what a customer has left for longer was not wanted, or costs something else by now.
CUSTOMER_CART_LIVES: Final = timedelta(days=90)


class CartFull(Invalid):
    title = "The cart holds no more different products"


class QuantityTooLarge(Invalid):
    title = "The cart holds no more of this product"


class GuestTokenRefused(Invalid):
    title = "The guest's token has expired or does not hold"


class CatalogUnavailable(Unavailable):
    title = "Prices cannot be checked at the moment"


class Owner(StrEnum):
    """Whose cart it is; decides how long it lives."""

    GUEST = "guest"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Line:
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Cart:
    """lines: 0-200, unique by SKU, in the order they were put in.

    version: 0 before the first change, and one more with each.
    """

    customer_id: str
    lines: tuple[Line, ...] = ()
    version: int = 0


class Limit(StrEnum):
    """Why a merge left something out."""

    QUANTITY = "quantity_limit"  # QUANTITY_MAX of the product are in the cart
    LINES = "lines_limit"  # LINES_MAX other products are in the cart


@dataclass(frozen=True, slots=True)
class LeftOut:
    """quantity: how many of the guest's the customer's cart did not take."""

    sku: str
    quantity: int
    reason: Limit


@dataclass(frozen=True, slots=True)
class Merge:
    """What became of a guest's cart: for each of its lines, merged + left out = what was there.

    cart: the customer's, after. merged: how many of each SKU came over.
    """

    cart: Cart
    merged: tuple[Line, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def put_line(cart: Cart, line: Line) -> Cart:
    """Set the quantity of one product; a new one goes to the end. Raises CartFull."""
    if any(held.sku == line.sku for held in cart.lines):
        lines = tuple(line if held.sku == line.sku else held for held in cart.lines)
    else:
        lines = (*cart.lines, line)
    if len(lines) > LINES_MAX:
        raise CartFull(f"{LINES_MAX} is the most", lines_max=LINES_MAX)
    return _changed(cart, lines)


def add(cart: Cart, sku: str, quantity: int) -> Cart:
    """Put *quantity* more of one product into the cart; fewer if negative, out if none is left.

    Raises CartFull, QuantityTooLarge.
    """
    held = quantity_of(cart, sku)
    wanted = held + quantity
    if wanted > QUANTITY_MAX:
        raise QuantityTooLarge(
            f"{QUANTITY_MAX} is the most", sku=sku, quantity=held, quantity_max=QUANTITY_MAX
        )
    return put_line(cart, Line(sku, wanted)) if wanted > 0 else remove_line(cart, sku)


def remove_line(cart: Cart, sku: str) -> Cart:
    """Removing what is not there is the same as having removed it."""
    return _changed(cart, tuple(line for line in cart.lines if line.sku != sku))


def remove_bought(cart: Cart, bought: Mapping[str, int]) -> tuple[Cart, dict[str, int]]:
    """Take out what was *bought* (SKU -> quantity), and leave what was put in since.

    Also what was bought and is not in the cart (any more).
    """
    left = (replace(line, quantity=line.quantity - bought.get(line.sku, 0)) for line in cart.lines)
    missing = Counter(bought)
    missing.subtract({line.sku: line.quantity for line in cart.lines})
    after = _changed(cart, tuple(line for line in left if line.quantity > 0))
    return after, {sku: n for sku, n in missing.items() if n > 0 and sku in bought}


def merge(cart: Cart, guest_lines: tuple[Line, ...]) -> Merge:
    """Put a guest's lines into the customer's *cart*: quantities add up, new products come last.

    Nothing is refused: what is over a limit is left out and reported (ADR-0011).
    """
    merged, left_out = [], []
    lines = {line.sku: line.quantity for line in cart.lines}
    for line in guest_lines:
        if line.sku not in lines and len(lines) >= LINES_MAX:
            left_out.append(LeftOut(line.sku, line.quantity, Limit.LINES))
            continue
        taken = min(line.quantity, QUANTITY_MAX - lines.get(line.sku, 0))
        if taken > 0:
            lines[line.sku] = lines.get(line.sku, 0) + taken
            merged.append(Line(line.sku, taken))
        if taken < line.quantity:
            left_out.append(LeftOut(line.sku, line.quantity - taken, Limit.QUANTITY))
    after = _changed(cart, tuple(Line(sku, quantity) for sku, quantity in lines.items()))
    return Merge(after, tuple(merged), tuple(left_out))


def quantity_of(cart: Cart, sku: str) -> int:
    return next((line.quantity for line in cart.lines if line.sku == sku), 0)


def _changed(cart: Cart, lines: tuple[Line, ...]) -> Cart:
    if lines == cart.lines:
        return cart
    return replace(cart, lines=lines, version=cart.version + 1)


class Stock(StrEnum):
    """Whether a line can be delivered, as far as the inventory knew when it was asked."""

    IN_STOCK = "in_stock"  # all of it
    LIMITED = "limited"  # some of it
    OUT_OF_STOCK = "out_of_stock"
    UNKNOWN = "unknown"  # the inventory did not answer


@dataclass(frozen=True, slots=True)
class Price:
    """What the catalog quotes for one SKU."""

    name: str
    unit_price_minor: int


@dataclass(frozen=True, slots=True)
class Prices:
    """currency: ISO 4217. by_sku: without those that are not sold (any more)."""

    currency: str
    by_sku: Mapping[str, Price]


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """available: whether the catalog sells it; if not, it has no name and no price.

    previous_unit_price_minor: what this shopper was shown first, or accepted last; None if
    nothing yet. quantity_in_stock: None if the inventory did not answer.
    """

    sku: str
    quantity: int
    available: bool
    name: str | None
    unit_price_minor: int | None
    line_total_minor: int | None
    previous_unit_price_minor: int | None
    price_changed: bool
    stock: Stock
    quantity_in_stock: int | None


@dataclass(frozen=True, slots=True)
class Quote:
    """A cart with today's prices. currency: None for an empty cart, which nobody was asked about.

    subtotal_minor: of the lines that are sold, in stock or not. No taxes, no shipping.
    """

    customer_id: str
    version: int
    currency: str | None
    lines: tuple[QuotedLine, ...]
    subtotal_minor: int
    stock_known: bool


def quote(
    cart: Cart,
    prices: Prices | None,
    stock: Mapping[str, int] | None,
    shown: Mapping[str, int],
) -> Quote:
    """prices: None for an empty cart. stock: how many of each SKU there are; None if unknown.

    shown: SKU -> the price that this shopper knows.
    """
    by_sku = prices.by_sku if prices else {}
    lines = tuple(
        _quoted(line, by_sku.get(line.sku), stock, shown.get(line.sku)) for line in cart.lines
    )
    return Quote(
        cart.customer_id,
        cart.version,
        prices.currency if prices else None,
        lines,
        sum(line.line_total_minor or 0 for line in lines),
        stock is not None,
    )


def first_shown(quoted: Quote) -> dict[str, int]:
    """The prices in *quoted* that its shopper sees for the first time."""
    return {
        line.sku: line.unit_price_minor
        for line in quoted.lines
        if line.unit_price_minor is not None and line.previous_unit_price_minor is None
    }


def _quoted(
    line: Line, price: Price | None, stock: Mapping[str, int] | None, shown: int | None
) -> QuotedLine:
    in_stock = None if stock is None else stock.get(line.sku, 0)
    now = price.unit_price_minor if price else None
    return QuotedLine(
        sku=line.sku,
        quantity=line.quantity,
        available=price is not None,
        name=price.name if price else None,
        unit_price_minor=now,
        line_total_minor=None if now is None else now * line.quantity,
        previous_unit_price_minor=shown,
        price_changed=None not in (now, shown) and now != shown,
        stock=_stock_of(line, in_stock),
        quantity_in_stock=in_stock,
    )


def _stock_of(line: Line, in_stock: int | None) -> Stock:
    if in_stock is None:
        return Stock.UNKNOWN
    if in_stock <= 0:
        return Stock.OUT_OF_STOCK
    return Stock.LIMITED if in_stock < line.quantity else Stock.IN_STOCK
