"""Stock and what is promised of it. No I/O, no clock, no framework.

``available = on_hand - reserved``: what can still be promised to somebody.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from common.errors import Conflict, IllegalTransition, NotFound

SKU_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
# What one request may carry; a seed of thousands comes in several.
RECEIPT_LINES_MAX = 1000
QUERY_SKUS_MAX = 200
# More pieces in one line than any shelf holds: a typing error.
PIECES_MAX = 1_000_000
NOTE_CHARS_MAX = 200
# At so many pieces a shopper should hear that few are left.
LOW_STOCK = 5
# An order is decided within 15 minutes (its own deadline), so what is held for longer waits for an
# answer that was lost. It is asked about, never freed: the payment may have gone through.
RESERVATION_TTL: Final = timedelta(minutes=20)


class StockNotFound(NotFound):
    title = "This SKU was never in stock"


class ReservationNotFound(NotFound):
    title = "This order has no reservation"


class BelowReserved(Conflict):
    title = "Less would be left than is reserved"


class Reason(StrEnum):
    """Why pieces moved. The first three need an order; people give the others."""

    RESERVE = "reserve"
    COMMIT = "commit"
    RELEASE = "release"
    RECEIPT = "receipt"  # from a supplier
    RETURN = "return"  # from a customer
    ADJUSTMENT = "adjustment"  # none of those below; the note says which
    CYCLE_COUNT = "cycle_count"  # counted, and the book was wrong
    DAMAGE = "damage"
    LOSS = "loss"
    FOUND = "found"


# Nobody finds fewer pieces, and no damage makes more of them.
ONLY_LESS: Final = frozenset({Reason.DAMAGE, Reason.LOSS})
ONLY_MORE: Final = frozenset({Reason.FOUND})


class ReservationState(StrEnum):
    HELD = "held"
    COMMITTED = "committed"  # the order is confirmed, the pieces are gone
    RELEASED = "released"  # the order is cancelled, nothing is held (any more)
    REJECTED = "rejected"  # there was not enough, nothing was ever held


class Level(StrEnum):
    """As much as a shopper is told."""

    NONE = "none"
    LOW = "low"
    PLENTY = "plenty"


@dataclass(frozen=True, slots=True)
class Stock:
    sku: str
    on_hand: int
    reserved: int

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


@dataclass(frozen=True, slots=True)
class Line:
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Missing:
    sku: str
    requested: int
    available: int


@dataclass(frozen=True, slots=True)
class Payable:
    """What payment must know of an order; passed on with the stock, so that it need not ask."""

    customer_id: str
    amount_minor: int
    currency: str  # ISO 4217
    payment_method: str  # the provider's token, never a card number


@dataclass(frozen=True, slots=True)
class Reservation:
    """payable: None if the order was cancelled before it was known here."""

    order_id: str
    state: ReservationState
    payable: Payable | None = None
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True, slots=True)
class ReservationView:
    """A reservation as staff sees it. expires_at: None unless it is held."""

    reservation: Reservation
    lines: tuple[Line, ...]
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody of the staff does to the shelf, and why. actor: their id."""

    reason: Reason
    note: str
    actor: str


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of the book."""

    id: int
    sku: str
    occurred_at: datetime
    reason: Reason
    delta_on_hand: int
    delta_reserved: int
    order_id: str | None
    return_id: str | None
    actor: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A SKU whose balances are not the sums of its movements, or not what its orders hold.

    stock_on_hand, stock_reserved: the balances; None if there is no such SKU.
    book_on_hand, book_reserved: the sums of its movements. held: by the lines of held orders.
    """

    sku: str
    stock_on_hand: int | None
    stock_reserved: int | None
    book_on_hand: int
    book_reserved: int
    held: int


@dataclass(frozen=True, slots=True)
class Audit:
    """differences: the first of them by SKU; different: how many there are in all."""

    skus: int
    movements: int
    different: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class AvailabilityChange:
    """before: None for a SKU that was never in stock."""

    sku: str
    before: int | None
    after: int


def is_sku(text: str) -> bool:
    return re.fullmatch(SKU_PATTERN, text) is not None


def merged(lines: Iterable[Line]) -> tuple[Line, ...]:
    """One line a SKU, sorted by SKU."""
    quantities: Counter[str] = Counter()
    for line in lines:
        quantities[line.sku] += line.quantity
    return tuple(Line(sku, quantity) for sku, quantity in sorted(quantities.items()))


def missing(lines: Sequence[Line], stock: Mapping[str, Stock]) -> tuple[Missing, ...]:
    """The *lines* that *stock* cannot serve; empty if all can be served. lines: unique by SKU."""
    available = {sku: found.available for sku, found in stock.items()}
    return tuple(
        Missing(line.sku, line.quantity, available.get(line.sku, 0))
        for line in lines
        if line.quantity > available.get(line.sku, 0)
    )


def commit(reservation: Reservation) -> Reservation:
    """Committed twice is the same as once. Raises IllegalTransition unless it is held."""
    match reservation.state:
        case ReservationState.COMMITTED:
            return reservation
        case ReservationState.HELD:
            return replace(reservation, state=ReservationState.COMMITTED)
        case state:
            raise IllegalTransition(f"order {reservation.order_id}: {state} stock, not committable")


def release(reservation: Reservation) -> Reservation:
    """What holds nothing stays as it is. Raises IllegalTransition if it is committed."""
    match reservation.state:
        case ReservationState.HELD:
            return replace(reservation, state=ReservationState.RELEASED)
        case ReservationState.COMMITTED:
            raise IllegalTransition(f"order {reservation.order_id}: committed stock, not released")
        case _:
            return reservation


def check_return(
    reservation: Reservation | None,
    held: Sequence[Line],
    back: Sequence[Line],
    more: Sequence[Line],
) -> None:
    """Raises IllegalTransition if more would come back than the order took.

    held: what the order reserved; back: what came back of it before; more: unique by SKU.
    That the confirmation of the order may still be on its way changes no sum.
    """
    took = {ReservationState.HELD, ReservationState.COMMITTED}
    if reservation is None or reservation.state not in took:
        raise IllegalTransition("a return of what no order took")
    taken = Counter({line.sku: line.quantity for line in held})
    taken.subtract({line.sku: line.quantity for line in back})
    for line in more:
        if line.quantity > taken[line.sku]:
            raise IllegalTransition(
                f"order {reservation.order_id}: {line.quantity} of {line.sku} come back,"
                f" {taken[line.sku]} are out"
            )


def check_adjustment(stock: Stock, delta: int) -> None:
    """Raises BelowReserved: what is promised to somebody cannot be written off."""
    if stock.available + delta < 0:
        raise BelowReserved(
            f"only {stock.available} of {stock.sku} are not reserved",
            sku=stock.sku,
            available=stock.available,
        )


def is_possible(reason: Reason, delta: int) -> bool:
    """Whether *reason* can change a number of pieces in that direction."""
    return reason not in (ONLY_LESS if delta > 0 else ONLY_MORE)


def availability_of(level: Level) -> tuple[int, int | None]:
    """The least and the most pieces available at *level*; None for no limit."""
    match level:
        case Level.NONE:
            return 0, 0
        case Level.LOW:
            return 1, LOW_STOCK
        case Level.PLENTY:
            return LOW_STOCK + 1, None


def level(available: int) -> Level:
    if available <= 0:
        return Level.NONE
    return Level.LOW if available <= LOW_STOCK else Level.PLENTY


def notice(change: AvailabilityChange) -> str | None:
    """The type of event that tells shoppers of *change*, or None if it is no news to them.

    The catalog lists a new product as in stock, so plenty of a new SKU is no news either.
    """
    before = Level.PLENTY if change.before is None else level(change.before)
    after = level(change.after)
    if before is after:
        return None
    return "stock.replenished" if after is Level.PLENTY else "stock.low"
