"""What the inventory does: one function per use case, in the caller's transaction.

Every one that changes stock becomes its only writer first, so what it reads holds until it
has written. A refusal to an order is an answer, not an exception: its neighbours in the
same transaction are not its business.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from common.errors import IllegalTransition
from common.events import Event, publish
from sqlalchemy import Connection

from inventory import domain, store
from inventory.domain import (
    AvailabilityChange,
    Line,
    Payable,
    Reservation,
    ReservationNotFound,
    ReservationState,
    Stock,
    StockNotFound,
)


def reserve_stock(
    tx: Connection, order_id: str, payable: Payable, lines: Sequence[Line], *, cause: str
) -> None:
    """Hold all *lines* for the order or none; asked again, answer the same and change nothing.

    cause: id of the event that asks.
    Publishes stock.reserved or stock.rejected (stock.released for an order that was cancelled
    meanwhile), and stock.low for what has become scarce.
    """
    store.become_only_writer(tx)
    known = store.find_reservation(tx, order_id)
    if known:
        publish(tx, _answer(known))
        return
    wanted = domain.merged(lines)
    missing = domain.missing(wanted, store.levels(tx, [line.sku for line in wanted]))
    state = ReservationState.REJECTED if missing else ReservationState.HELD
    reservation = Reservation(order_id, state, payable, missing)
    store.add_reservation(tx, reservation)
    changes = [] if missing else store.hold(tx, order_id, wanted, cause)
    publish(tx, _answer(reservation), *_notices(changes))


def commit_stock(tx: Connection, order_id: str, *, cause: str) -> None:
    """The order is confirmed: what it holds leaves the shelf.

    Raises IllegalTransition if it holds nothing. Publishes stock.committed, again if asked again.
    """
    store.become_only_writer(tx)
    before = store.find_reservation(tx, order_id)
    if before is None:
        raise IllegalTransition(f"order {order_id}: no stock was ever reserved")
    after = domain.commit(before)
    if after != before:
        store.set_state(tx, order_id, after.state)
        store.commit(tx, order_id, cause)
    publish(tx, Event("stock.committed", order_id, {"order_id": order_id}))


def release_stock(tx: Connection, order_id: str, *, cause: str) -> None:
    """The order is cancelled: nothing is held for it, now or later.

    The cancellation may overtake the order; then a released reservation without lines is
    left for the order to find.
    Raises IllegalTransition if the stock is committed. Publishes stock.released, again if
    asked again, and stock.replenished or stock.low for what has become less scarce.
    """
    store.become_only_writer(tx)
    before = store.find_reservation(tx, order_id)
    changes: Sequence[AvailabilityChange] = ()
    if before is None:
        store.add_reservation(tx, Reservation(order_id, ReservationState.RELEASED))
    elif (after := domain.release(before)) != before:
        store.set_state(tx, order_id, after.state)
        changes = store.release(tx, order_id, cause)
    publish(tx, _released(order_id), *_notices(changes))


def receive_stock(tx: Connection, lines: Sequence[Line], note: str) -> list[Stock]:
    """Put what was delivered on the shelf; the stock of those SKUs then, by SKU.

    lines: 1-1,000; several of one SKU are added up.
    Publishes stock.replenished or stock.low for what shoppers see differently now.
    """
    store.become_only_writer(tx)
    arrived = domain.merged(lines)
    before = store.levels(tx, [line.sku for line in arrived])
    after = sorted(store.receive(tx, arrived, note), key=lambda stock: stock.sku)
    publish(tx, *_notices(_compare(before.get(stock.sku), stock) for stock in after))
    return after


def adjust_stock(tx: Connection, sku: str, delta: int, note: str) -> Stock:
    """Make the book agree with the shelf: lost, broken, or found again.

    Raises StockNotFound, BelowReserved. Publishes as `receive_stock` does.
    """
    store.become_only_writer(tx)
    before = read_stock(tx, sku)
    domain.check_adjustment(before, delta)
    after = store.adjust(tx, sku, delta, note)
    publish(tx, *_notices([_compare(before, after)]))
    return after


def read_stock(tx: Connection, sku: str) -> Stock:
    """Raises StockNotFound."""
    found = store.levels(tx, [sku]) if domain.is_sku(sku) else {}
    if sku not in found:
        raise StockNotFound("nothing of that SKU was ever received")
    return found[sku]


def query_stock(tx: Connection, skus: Sequence[str]) -> tuple[list[Stock], list[str]]:
    """The stock of *skus* (1-200, unique) in their order, and those that never had any."""
    found = store.levels(tx, skus)
    return [found[sku] for sku in skus if sku in found], [s for s in skus if s not in found]


def read_reservation(tx: Connection, order_id: str) -> tuple[Reservation, list[Line]]:
    """Raises ReservationNotFound."""
    reservation = store.find_reservation(tx, order_id)
    if reservation is None:
        raise ReservationNotFound(f"order {order_id} is not known here", order_id=order_id)
    return reservation, store.reserved_lines(tx, order_id)


def _answer(reservation: Reservation) -> Event:
    """What an order hears when it asks (again) for stock."""
    order_id = reservation.order_id
    match reservation.state:
        case ReservationState.REJECTED:
            missing = [asdict(each) for each in reservation.missing]
            return Event("stock.rejected", order_id, {"order_id": order_id, "missing": missing})
        case ReservationState.RELEASED:
            return _released(order_id)
        case ReservationState.HELD | ReservationState.COMMITTED:
            assert reservation.payable, "only a tombstone has nothing to pay, and that is released"
            payable = asdict(reservation.payable)
            return Event("stock.reserved", order_id, {"order_id": order_id} | payable)


def _released(order_id: str) -> Event:
    return Event("stock.released", order_id, {"order_id": order_id})


def _notices(changes: Iterable[AvailabilityChange]) -> list[Event]:
    return [
        Event(event_type, change.sku, {"sku": change.sku, "available": change.after})
        for change in changes
        if (event_type := domain.notice(change))
    ]


def _compare(before: Stock | None, after: Stock) -> AvailabilityChange:
    return AvailabilityChange(after.sku, before.available if before else None, after.available)
