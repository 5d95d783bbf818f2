"""Carts: what they hold and how they change. Knows no prices, no stock, no SQL, no HTTP."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from common.errors import Conflict, Invalid

# As many as an order may have; real baskets have up to 161 lines.
LINES_MAX = 200
# As many of one product as one order may ask for.
QUANTITY_MAX = 100
# An article number of the catalog's; safe in a path, a log line and a file name.
SKU_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


class CartFull(Invalid):
    title = "The cart holds no more different products"


class CartChanged(Conflict):
    title = "The cart has changed since you read it"


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


def expect(cart: Cart, versions: Collection[int] | None) -> None:
    """Raises CartChanged if the cart has none of *versions*; None accepts any."""
    if versions is not None and cart.version not in versions:
        raise CartChanged(f"it is at version {cart.version}", version=cart.version)


def put_line(cart: Cart, line: Line) -> Cart:
    """Set the quantity of one product; a new one goes to the end. Raises CartFull."""
    if any(held.sku == line.sku for held in cart.lines):
        lines = tuple(line if held.sku == line.sku else held for held in cart.lines)
    else:
        lines = (*cart.lines, line)
    if len(lines) > LINES_MAX:
        raise CartFull(f"{LINES_MAX} is the most", lines_max=LINES_MAX)
    return _changed(cart, lines)


def remove_line(cart: Cart, sku: str) -> Cart:
    """Removing what is not there is the same as having removed it."""
    return _changed(cart, tuple(line for line in cart.lines if line.sku != sku))


def remove_bought(cart: Cart, bought: Mapping[str, int]) -> Cart:
    """Take out what was *bought* (SKU -> quantity), and leave what was put in since."""
    left = (replace(line, quantity=line.quantity - bought.get(line.sku, 0)) for line in cart.lines)
    return _changed(cart, tuple(line for line in left if line.quantity > 0))


def _changed(cart: Cart, lines: tuple[Line, ...]) -> Cart:
    if lines == cart.lines:
        return cart
    return replace(cart, lines=lines, version=cart.version + 1)
