"""What orders ask of the stock: hold it, take it, give it back."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from common.errors import IllegalTransition
from common.events import Event, publish
from common.metrics import meter
from sqlalchemy import Connection

from inventory import domain, store
from inventory.domain import (
    AvailabilityChange,
    Line,
    Payable,
    Reservation,
    ReservationNotFound,
    ReservationState,
    ReservationView,
)
from inventory.use_cases.notices import compared, notices

# By what became of it; a batch that is rolled back and tried again counts twice.
_decided = meter.create_counter("app.stock.reservations", unit="{reservation}")
_expired = meter.create_counter("app.stock.reservations_expired", unit="{reservation}")


def lock_together(tx: Connection, order_ids: Sequence[str], skus: Sequence[str]) -> None:
    """Before several orders are handled in one transaction: all they can touch, in one order.

    order_ids: all of them. skus: what new orders and returns name; what the others hold is known.
    """
    store.lock_orders(tx, order_ids)
    store.lock_stock_of_orders(tx, order_ids, skus)


def reserve_stock(
    tx: Connection, order_id: str, payable: Payable, lines: Sequence[Line], *, cause: str
) -> None:
    """Hold all *lines* for the order or none; asked again, answer the same and change nothing.

    cause: id of the event that asks.
    Publishes stock.reserved or stock.rejected (stock.released for an order that was cancelled
    meanwhile), and stock.low for what has become scarce.
    """
    known = store.lock_reservation(tx, order_id)
    if known:
        publish(tx, _answer(known))
        return
    wanted = domain.merged(lines)
    missing = domain.missing(wanted, store.lock_stock(tx, [line.sku for line in wanted]))
    state = ReservationState.REJECTED if missing else ReservationState.HELD
    reservation = Reservation(order_id, state, payable, missing)
    changes: Sequence[AvailabilityChange] = ()
    if missing:
        store.add_reservation(tx, reservation)
    else:
        changes = store.hold(tx, reservation, wanted, cause)
    _decided.add(1, {"app.outcome": state})
    publish(tx, _answer(reservation), *notices(changes))


def commit_stock(tx: Connection, order_id: str, *, cause: str) -> None:
    """The order is confirmed: what it holds leaves the shelf.

    Raises IllegalTransition if it holds nothing. Publishes stock.committed, again if asked again.
    """
    before = store.lock_reservation(tx, order_id)
    if before is None:
        raise IllegalTransition(f"order {order_id}: no stock was ever reserved")
    after = domain.commit(before)
    if after != before:
        store.lock_stock_of_orders(tx, [order_id], [])
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
    before = store.lock_reservation(tx, order_id)
    changes: Sequence[AvailabilityChange] = ()
    if before is None:
        store.add_reservation(tx, Reservation(order_id, ReservationState.RELEASED))
    elif (after := domain.release(before)) != before:
        store.lock_stock_of_orders(tx, [order_id], [])
        store.set_state(tx, order_id, after.state)
        changes = store.release(tx, order_id, cause)
    publish(tx, _released(order_id), *notices(changes))


def restock_return(
    tx: Connection, order_id: str, return_id: str, lines: Sequence[Line], *, cause: str
) -> None:
    """What the customer sent back is on the shelf again, once per *return_id*.

    Raises IllegalTransition if more would come back than the order took, or if the return is
    another order's. Publishes stock.returned, again if asked again, and stock.replenished or
    stock.low for what has become less scarce.
    """
    reservation = store.lock_reservation(tx, order_id)
    restocked_for = store.order_of_return(tx, return_id)
    if restocked_for not in {None, order_id}:
        raise IllegalTransition(f"return {return_id} is of order {restocked_for}, not {order_id}")
    changes: Sequence[AvailabilityChange] = ()
    if restocked_for is None:
        more = domain.merged(lines)
        taken, back = store.reserved_lines(tx, order_id), store.returned_lines(tx, order_id)
        domain.check_return(reservation, taken, back, more)
        changes = _restock(tx, order_id, return_id, more, cause)
    answer = {"order_id": order_id, "return_id": return_id}
    publish(tx, Event("stock.returned", order_id, answer), *notices(changes))


def ask_about_expired(tx: Connection, ttl: timedelta, batch: int) -> int:
    """Ask the orders whose stock is held for longer than *ttl* whether they still want it.

    Frees nothing: only the order knows whether it was paid. How many were asked, at most *batch*;
    each is asked again after another *ttl*. Publishes stock.reservation_expired.
    """
    order_ids = store.due_for_question(tx, ttl, batch)
    publish(
        tx,
        *(
            Event("stock.reservation_expired", order_id, {"order_id": order_id})
            for order_id in order_ids
        ),
    )
    _expired.add(len(order_ids))
    return len(order_ids)


def read_reservation(tx: Connection, order_id: str, ttl: timedelta) -> ReservationView:
    """ttl: how long it is held before the order is asked. Raises ReservationNotFound."""
    view = store.view_reservation(tx, order_id, ttl)
    if view is None:
        raise ReservationNotFound(f"order {order_id} is not known here", order_id=order_id)
    return view


def _restock(
    tx: Connection, order_id: str, return_id: str, lines: Sequence[Line], cause: str
) -> list[AvailabilityChange]:
    before = store.lock_stock(tx, [line.sku for line in lines])
    store.add_return(tx, return_id, order_id, cause)
    after = store.restock(tx, return_id, lines, cause)
    return [compared(before[stock.sku], stock) for stock in after]


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
