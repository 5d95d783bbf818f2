"""Orders: what they are, and the refusals that can be explained. No I/O, no clock, no framework."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from common.errors import Conflict, Invalid, NotFound, TooManyRequests, Unavailable

# As the catalog writes them; anything else it would refuse to quote.
SKU_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
QUANTITY_MAX = 100  # Of one product in an order; as many as a cart holds.
# What delivery costs, and from which sum of the goods on it is free (ADR-0013).
SHIPPING_FLAT_MINOR: Final = 599
SHIPPING_FREE_FROM_MINOR: Final = 5_000
# 8 %, once an order, of the goods and not of their delivery.
TAX_RATE_BASIS_POINTS: Final = 800
_WHOLE_BASIS_POINTS: Final = 10_000
# Longer than the law's two weeks (Directive 2011/83/EU, article 9), as shops of this kind give.
RETURN_WITHIN: Final = timedelta(days=30)


class OrderStatus(StrEnum):
    """schema.org/OrderStatus, less the parts we do not model."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class CancelReason(StrEnum):
    OUT_OF_STOCK = "out_of_stock"
    PAYMENT_DECLINED = "payment_declined"
    CUSTOMER_CANCELLED = "customer_cancelled"
    DEADLINE_EXCEEDED = "deadline_exceeded"


class OrderNotFound(NotFound):
    title = "There is no such order"


class NotCancellable(Conflict):
    title = "The order can no longer be cancelled"


class UnknownSku(Invalid):
    title = "The catalog does not know a product of the order"


class TooManyPieces(Invalid):
    title = "More of one product is ordered than the shop sells at once"


class PriceChanged(Conflict):
    title = "The price has changed"


class TooManyOrders(TooManyRequests):
    title = "Too many orders came from you"


class CatalogUnavailable(Unavailable):
    title = "Prices cannot be checked at the moment"


class ReturnNotFound(NotFound):
    title = "There is no such return"


class NotReturnable(Conflict):
    title = "Nothing of the order can be returned"


class ReturnTooLarge(Invalid):
    title = "More is returned than was bought"


class ReturnStatus(StrEnum):
    REQUESTED = "requested"  # the customer wants to
    RECEIVED = "received"  # staff have the goods
    REFUNDED = "refunded"  # the money went back


@dataclass(frozen=True, slots=True)
class Totals:
    """What an order costs, in minor units of its currency."""

    subtotal_minor: int
    shipping_minor: int
    tax_minor: int

    @property
    def total_minor(self) -> int:
        return self.subtotal_minor + self.shipping_minor + self.tax_minor


@dataclass(frozen=True, slots=True)
class Return:
    """Goods of one order on their way back. quantities: by SKU, of what the order bought.

    refunded_minor: less than amount_minor where less was left. restocked: back on the shelf.
    """

    id: str
    order_id: str
    status: ReturnStatus
    reason: str
    amount_minor: int
    quantities: Mapping[str, int]
    requested_at: datetime
    refunded_minor: int = 0
    restocked: bool = False
    nudges: int = 0

    @property
    def settled(self) -> bool:
        return self.status is ReturnStatus.REFUNDED and self.restocked


@dataclass(frozen=True, slots=True)
class OrderLine:
    sku: str
    name: str
    quantity: int
    unit_price_minor: int  # minor units of Order.currency (ISO 4217)


@dataclass(frozen=True, slots=True)
class Price:
    """What the catalog quotes for one SKU."""

    name: str
    unit_price_minor: int


@dataclass(frozen=True, slots=True)
class Order:
    """An order without its lines, which never change and are seldom needed.

    stock_settled, payment_settled: that neighbour has nothing more to do for it.
    action_url: where the customer's bank wants to hear from them, while it does.
    client_token: the Idempotency-Key that placed it; places no second one, ever.
    """

    id: str
    customer_id: str
    email: str
    currency: str
    totals: Totals
    payment_method: str
    status: OrderStatus
    placed_at: datetime
    updated_at: datetime
    cancel_reason: CancelReason | None = None
    cancellation_requested: CancelReason | None = None
    stock_settled: bool = False
    payment_settled: bool = False
    version: int = 1
    nudges: int = 0
    traceparent: str | None = None
    refunded_minor: int = 0
    action_url: str | None = None
    client_token: str | None = None

    @property
    def total_minor(self) -> int:
        return self.totals.total_minor

    @property
    def settled(self) -> bool:
        return self.stock_settled and self.payment_settled


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which orders a list shows; None stands for all. placed_before: not itself."""

    customer_id: str | None = None
    status: OrderStatus | None = None
    placed_after: datetime | None = None
    placed_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    version: int
    status: OrderStatus
    event: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with all that belongs to it, as it was at one moment."""

    order: Order
    lines: tuple[OrderLine, ...]
    history: tuple[HistoryEntry, ...]

    def changes_after(self, version: int) -> "Changes":
        later = tuple(entry for entry in self.history if entry.version > version)
        return Changes(later, self.order.settled)


@dataclass(frozen=True, slots=True)
class Changes:
    """What was noted of an order, oldest first; settled: whether it was, after all of them."""

    entries: tuple[HistoryEntry, ...]
    settled: bool


def merged(lines: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Quantities by SKU, as first mentioned: two lines of one are one. Raises TooManyPieces."""
    quantities: dict[str, int] = {}
    for sku, quantity in lines:
        quantities[sku] = quantities.get(sku, 0) + quantity
    if too_many := sorted(sku for sku, held in quantities.items() if held > QUANTITY_MAX):
        raise TooManyPieces(f"{QUANTITY_MAX} are the most", too_many=too_many)
    return quantities


def priced(quantities: Mapping[str, int], prices: Mapping[str, Price]) -> tuple[OrderLine, ...]:
    """Raises UnknownSku, naming every SKU without a price."""
    unknown = sorted(quantities.keys() - prices.keys())
    if unknown:
        raise UnknownSku(f"{len(unknown)} of {len(quantities)} products", unknown=unknown)
    return tuple(
        OrderLine(sku, prices[sku].name, quantity, prices[sku].unit_price_minor)
        for sku, quantity in quantities.items()
    )


def total(lines: Iterable[OrderLine]) -> Totals:
    """The goods, flat shipping that is free from a sum on, and tax on the goods, half up."""
    subtotal = sum(line.quantity * line.unit_price_minor for line in lines)
    shipping = 0 if subtotal >= SHIPPING_FREE_FROM_MINOR else SHIPPING_FLAT_MINOR
    return Totals(subtotal, shipping, _tax(subtotal))


def _tax(goods_minor: int) -> int:
    """Half a minor unit counts as a whole one."""
    return (goods_minor * TAX_RATE_BASIS_POINTS + _WHOLE_BASIS_POINTS // 2) // _WHOLE_BASIS_POINTS


def check_total(lines: Iterable[OrderLine], expected_minor: int | None) -> None:
    """The shopper pays what they saw, or is asked again. Raises PriceChanged."""
    actual = total(lines).total_minor
    if expected_minor is not None and expected_minor != actual:
        raise PriceChanged(
            "the order costs another sum now", expected_minor=expected_minor, actual_minor=actual
        )


def check_returnable(order: Order, now: datetime) -> None:
    """Raises NotReturnable: not paid for, or bought too long ago."""
    if order.status is not OrderStatus.CONFIRMED or not order.payment_settled:
        raise NotReturnable("it is not paid for", order_id=order.id)
    if now - order.placed_at > RETURN_WITHIN:
        raise NotReturnable(f"it is older than {RETURN_WITHIN.days} days", order_id=order.id)


def check_quantities(
    lines: Sequence[OrderLine], earlier: Iterable[Return], wanted: Mapping[str, int]
) -> None:
    """Raises ReturnTooLarge, naming each SKU with what may still come back of it."""
    left = _left(lines, earlier)
    excess = [
        {"sku": sku, "requested": quantity, "returnable": left.get(sku, 0)}
        for sku, quantity in sorted(wanted.items())
        if quantity > left.get(sku, 0)
    ]
    if excess:
        raise ReturnTooLarge(f"{len(excess)} of {len(wanted)} products", excess=excess)


def _left(lines: Sequence[OrderLine], earlier: Iterable[Return]) -> dict[str, int]:
    left = {line.sku: line.quantity for line in lines}
    for one in earlier:
        for sku, quantity in one.quantities.items():
            left[sku] -= quantity
    return left


def refund_of(
    order: Order, lines: Sequence[OrderLine], earlier: Sequence[Return], wanted: Mapping[str, int]
) -> int:
    """The goods and their tax, not the delivery, in minor units.

    Tax is the tax on all that has come back so far, less what was paid back of it before: so
    everything in ten parts gives back exactly the order's tax, and never a cent more.
    """
    prices = {line.sku: line.unit_price_minor for line in lines}
    goods = sum(prices[sku] * quantity for sku, quantity in wanted.items())
    before = sum(
        prices[sku] * quantity for one in earlier for sku, quantity in one.quantities.items()
    )
    subtotal, tax = order.totals.subtotal_minor, order.totals.tax_minor
    return goods + tax * (before + goods) // subtotal - tax * before // subtotal
