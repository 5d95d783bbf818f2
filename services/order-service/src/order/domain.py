"""Orders: what they are, and the refusals that can be explained. No I/O, no clock, no framework."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from common.errors import Conflict, Invalid, NotFound, Unavailable

# As the catalog writes them; anything else it would refuse to quote.
SKU_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


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


class PriceChanged(Conflict):
    title = "The price has changed"


class CardNumberRefused(Invalid):
    title = "Card numbers are not accepted here"


class CatalogUnavailable(Unavailable):
    title = "Prices cannot be checked at the moment"


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
    """

    id: str
    customer_id: str
    email: str
    currency: str
    total_minor: int
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

    @property
    def settled(self) -> bool:
        return self.stock_settled and self.payment_settled


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


def merged(lines: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Quantities by SKU, in the order of first mention: two lines of one SKU are one."""
    quantities: dict[str, int] = {}
    for sku, quantity in lines:
        quantities[sku] = quantities.get(sku, 0) + quantity
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


def total(lines: Iterable[OrderLine]) -> int:
    """In minor units of the order's currency."""
    return sum(line.quantity * line.unit_price_minor for line in lines)


def check_total(lines: Iterable[OrderLine], expected_minor: int | None) -> None:
    """The shopper pays what they saw, or is asked again. Raises PriceChanged."""
    actual = total(lines)
    if expected_minor is not None and expected_minor != actual:
        raise PriceChanged(
            "the order costs another sum now", expected_minor=expected_minor, actual_minor=actual
        )


# ISO/IEC 7812: 8 to 19 digits; every scheme that shoppers use has 13 or more.
CARD_DIGITS = range(13, 20)
# As people write them: in groups of three to six, e.g. 4-4-4-4 or 4-6-5.
CARD_GROUP_DIGITS = range(3, 7)
_DIGITS = re.compile(r"\d+(?:[ -]\d+)*")


def holds_card_number(text: str) -> bool:
    """Whether 13 to 19 digits in *text*, plain or in groups, pass Luhn as card numbers do."""
    return any(
        len(digits) in CARD_DIGITS and _luhn(digits)
        for written in _DIGITS.findall(text)
        for digits in _readings(re.split("[ -]", written))
    )


def _readings(groups: list[str]) -> Iterator[str]:
    """What a row of digit groups may stand for: all together, each alone, and neighbours."""
    yield "".join(groups)
    yield from groups
    for start in range(len(groups)):
        digits = ""
        for group in groups[start:]:
            digits += group
            if len(group) not in CARD_GROUP_DIGITS or len(digits) >= CARD_DIGITS.stop:
                break
            yield digits


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(2 * v - 9 * (v > 4) for v in values[1::2])) % 10 == 0
