"""The checkout saga, as data. Pure: says what an event does to an order, does nothing itself.

Steps: reserve stock → authorize → confirm → capture and commit. What may have happened is undone
newest first: a hold is voided before its stock is released, and the order is `cancelled` only
when payment has said that no money is held (ADR-0001).
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from common.errors import IllegalTransition

from order.domain import (
    CancelReason,
    NotCancellable,
    Order,
    OrderStatus,
    Return,
    ReturnStatus,
)


class State(StrEnum):
    """An order's status, told apart by what its neighbours may still say about it."""

    PENDING = "pending"
    CANCELLING = "cancelling"  # pending, and payment was asked to void
    CONFIRMED = "confirmed"
    OUT_OF_STOCK = "out of stock"  # cancelled: nothing was ever held
    DECLINED = "declined"  # cancelled: no money is held, the stock has to be released
    VOIDED = "voided"  # cancelled on request: likewise


STATUS = {
    State.PENDING: OrderStatus.PENDING,
    State.CANCELLING: OrderStatus.PENDING,
    State.CONFIRMED: OrderStatus.CONFIRMED,
    State.OUT_OF_STOCK: OrderStatus.CANCELLED,
    State.DECLINED: OrderStatus.CANCELLED,
    State.VOIDED: OrderStatus.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Transition:
    """to: the state after it. publishes: what follows. stock, payment: which neighbour is done.

    noted: worth a line of history even if it changes nothing.
    """

    to: State
    publishes: str | None = None
    stock: bool = False
    payment: bool = False
    noted: bool = False


_OUT_OF_STOCK = Transition(State.OUT_OF_STOCK, "order.cancelled", stock=True, payment=True)
_DECLINED = Transition(State.DECLINED, "order.cancelled", payment=True)

# Every event that may reach an order, by its state. A transition to the same state that settles
# nothing is an answer to a question asked twice, or to one that lost the race: harmless. What is
# not here contradicts what a neighbour has said before, and is illegal.
TRANSITIONS: dict[State, dict[str, Transition]] = {
    State.PENDING: {
        "stock.reserved": Transition(State.PENDING, noted=True),
        "payment.action_required": Transition(State.PENDING, "order.action_required", noted=True),
        "stock.rejected": _OUT_OF_STOCK,
        "payment.authorized": Transition(State.CONFIRMED, "order.confirmed"),
        "payment.declined": _DECLINED,
        # Money that turned up after a decline went back, which was told before the decline was.
        "payment.voided": _DECLINED,
        "payment.refunded": Transition(State.PENDING, "order.refunded", noted=True),
    },
    State.CANCELLING: {
        "stock.reserved": Transition(State.CANCELLING, noted=True),
        "stock.reservation_expired": Transition(State.CANCELLING, "order.cancellation_requested"),
        # The answer to the question that is out makes it pointless.
        "payment.action_required": Transition(State.CANCELLING),
        # What was captured meanwhile is paid back, and told before the void is.
        "payment.refunded": Transition(State.CANCELLING, "order.refunded", noted=True),
        "stock.rejected": _OUT_OF_STOCK,
        # Payment sent it before it was asked to void; the answer to that decides.
        "payment.authorized": Transition(State.CANCELLING),
        "payment.declined": _DECLINED,
        "payment.voided": Transition(State.VOIDED, "order.cancelled", payment=True),
    },
    State.CONFIRMED: {
        "stock.reserved": Transition(State.CONFIRMED),
        "stock.committed": Transition(State.CONFIRMED, stock=True),
        "stock.reservation_expired": Transition(State.CONFIRMED, "order.confirmed"),
        "payment.action_required": Transition(State.CONFIRMED),
        "payment.authorized": Transition(State.CONFIRMED),
        "payment.captured": Transition(State.CONFIRMED, payment=True),
        "payment.refunded": Transition(State.CONFIRMED, "order.refunded", noted=True),
    },
    State.OUT_OF_STOCK: {
        "stock.rejected": Transition(State.OUT_OF_STOCK),
        "stock.released": Transition(State.OUT_OF_STOCK, stock=True),
        # The customer asked to cancel before the shop found nothing on the shelf.
        "payment.voided": Transition(State.OUT_OF_STOCK),
    },
    State.DECLINED: {
        "stock.reserved": Transition(State.DECLINED),
        "stock.released": Transition(State.DECLINED, stock=True),
        "stock.reservation_expired": Transition(State.DECLINED, "order.cancelled"),
        "payment.action_required": Transition(State.DECLINED),
        "payment.declined": Transition(State.DECLINED),
        # The provider took money after all: it went back (ADR-0014).
        "payment.voided": Transition(State.DECLINED),
        "payment.refunded": Transition(State.DECLINED, "order.refunded", noted=True),
    },
    State.VOIDED: {
        "stock.reserved": Transition(State.VOIDED),
        "stock.rejected": Transition(State.VOIDED),
        "stock.released": Transition(State.VOIDED, stock=True),
        "stock.reservation_expired": Transition(State.VOIDED, "order.cancelled"),
        "payment.action_required": Transition(State.VOIDED),
        "payment.authorized": Transition(State.VOIDED),
        "payment.declined": Transition(State.VOIDED),
        "payment.voided": Transition(State.VOIDED),
        # A success that came after the cancellation was captured: it is paid back.
        "payment.refunded": Transition(State.VOIDED, "order.refunded", noted=True),
    },
}


@dataclass(frozen=True, slots=True)
class Step:
    """What an event leads to: the order after it, and the event that follows."""

    order: Order
    publishes: str | None = None
    noted: bool = False


def state_of(order: Order) -> State:
    match order.status, order.cancel_reason:
        case OrderStatus.PENDING, _:
            return State.CANCELLING if order.cancellation_requested else State.PENDING
        case OrderStatus.CONFIRMED, _:
            return State.CONFIRMED
        case _, CancelReason.OUT_OF_STOCK:
            return State.OUT_OF_STOCK
        case _, CancelReason.PAYMENT_DECLINED:
            return State.DECLINED
        case _:
            return State.VOIDED


def after(order: Order, event_type: str) -> Step:
    """What *event_type* does to *order*. Raises IllegalTransition."""
    state = state_of(order)
    if state is State.PENDING and event_type == "stock.reservation_expired":
        return ask_to_cancel(order, CancelReason.DEADLINE_EXCEEDED)
    transition = TRANSITIONS[state].get(event_type)
    if transition is None:
        raise IllegalTransition(f"order {order.id} is {state} and got {event_type}")
    changed = replace(
        order,
        status=STATUS[transition.to],
        cancel_reason=_reason(order, transition.to),
        stock_settled=order.stock_settled or transition.stock,
        payment_settled=order.payment_settled or transition.payment,
        # The bank has been heard, one way or the other, once the order is decided.
        action_url=order.action_url if transition.to is state else None,
    )
    return Step(changed, transition.publishes, transition.noted)


def _reason(order: Order, state: State) -> CancelReason | None:
    match state:
        case State.OUT_OF_STOCK:
            return CancelReason.OUT_OF_STOCK
        case State.DECLINED:
            return CancelReason.PAYMENT_DECLINED
        case State.VOIDED:
            return order.cancellation_requested
        case _:
            return None


def ask_to_cancel(order: Order, reason: CancelReason) -> Step:
    """Cancellation is a question to payment. Asking twice is the same as once.

    Raises NotCancellable if the order is confirmed.
    """
    match state_of(order):
        case State.PENDING:
            asked = replace(order, cancellation_requested=reason)
            return Step(asked, "order.cancellation_requested")
        case State.CONFIRMED:
            raise NotCancellable(f"order {order.id} is confirmed", order_id=order.id)
        case _:
            return Step(order)


def take_in(one: Return) -> Return:
    """Staff have the goods of a return: the money may go back. Again is the same as once."""
    if one.status is ReturnStatus.REQUESTED:
        return replace(one, status=ReturnStatus.RECEIVED)
    return one


def nudge(order: Order, *, past_deadline: bool) -> Step:
    """What to ask again of an order that waits: the question its state is waiting on."""
    if order.settled:
        return Step(order)
    match state_of(order):
        case State.PENDING if past_deadline:
            return ask_to_cancel(order, CancelReason.DEADLINE_EXCEEDED)
        case State.PENDING:
            return Step(order, "order.placed")
        case State.CANCELLING:
            return Step(order, "order.cancellation_requested")
        case State.CONFIRMED:
            return Step(order, "order.confirmed")
        case _:
            return Step(order, "order.cancelled")
