"""The checkout saga, as data. Pure: says what an event does to an order, does nothing itself.

Steps: reserve stock → authorize → confirm → capture and commit. What may have happened is undone
newest first: a hold is voided before its stock is released, and the order is `cancelled` only
when payment has said that no money is held (ADR-0001).
"""

from dataclasses import dataclass, replace

from common.errors import IllegalTransition

from order.domain import CancelReason, NotCancellable, Order, OrderStatus

PENDING, CONFIRMED, CANCELLED = OrderStatus.PENDING, OrderStatus.CONFIRMED, OrderStatus.CANCELLED


@dataclass(frozen=True, slots=True)
class Step:
    """What an event leads to: the order after it, and the events that follow."""

    order: Order
    publishes: tuple[str, ...] = ()


# Events that may come after the decision and change nothing any more: answers to a question
# asked twice, or to one that lost the race. Anything else that comes late is illegal.
HARMLESS: dict[OrderStatus, frozenset[str]] = {
    PENDING: frozenset({"stock.reserved"}),
    CONFIRMED: frozenset({"stock.reserved", "payment.authorized"}),
    CANCELLED: frozenset(
        {
            "stock.reserved",
            "stock.rejected",
            "payment.authorized",
            "payment.declined",
            "payment.voided",
        }
    ),
}


def after(order: Order, event_type: str) -> Step:
    """What *event_type* does to *order*. Raises IllegalTransition."""
    match (order.status, event_type):
        case (OrderStatus.PENDING, "stock.rejected"):
            return cancelled(order, CancelReason.OUT_OF_STOCK, stock=True, payment=True)
        case (OrderStatus.PENDING, "payment.authorized") if order.cancellation_requested:
            return Step(order)  # Payment was asked to void, and its answer decides.
        case (OrderStatus.PENDING, "payment.authorized"):
            return Step(replace(order, status=CONFIRMED), ("order.confirmed",))
        case (OrderStatus.PENDING, "payment.declined"):
            return cancelled(order, CancelReason.PAYMENT_DECLINED, stock=False, payment=True)
        case (OrderStatus.PENDING, "payment.voided") if order.cancellation_requested:
            return cancelled(order, order.cancellation_requested, stock=False, payment=True)
        case (OrderStatus.CONFIRMED, "payment.captured"):
            return Step(replace(order, payment_settled=True))
        case (OrderStatus.CONFIRMED, "stock.committed"):
            return Step(replace(order, stock_settled=True))
        case (OrderStatus.CANCELLED, "stock.released"):
            return Step(replace(order, stock_settled=True))
    if event_type in HARMLESS[order.status]:
        return Step(order)
    raise IllegalTransition(f"order {order.id} is {order.status} and got {event_type}")


def cancelled(order: Order, reason: CancelReason, *, stock: bool, payment: bool) -> Step:
    """The order is off. stock, payment: whether that neighbour holds nothing of it."""
    after_ = replace(
        order,
        status=CANCELLED,
        cancel_reason=reason,
        stock_settled=stock,
        payment_settled=payment,
    )
    return Step(after_, ("order.cancelled",))


def ask_to_cancel(order: Order, reason: CancelReason) -> Step:
    """Cancellation is a question to payment. Asking twice is the same as once.

    Raises NotCancellable if the order is confirmed.
    """
    if order.status is CONFIRMED:
        raise NotCancellable(f"order {order.id} is confirmed", order_id=order.id)
    if order.status is CANCELLED or order.cancellation_requested:
        return Step(order)
    return Step(replace(order, cancellation_requested=reason), ("order.cancellation_requested",))


def nudge(order: Order, *, past_deadline: bool) -> Step:
    """What to ask again of an order that waits: the question its state is waiting on."""
    if order.settled:
        return Step(order)
    if order.status is CONFIRMED:
        return Step(order, ("order.confirmed",))
    if order.status is CANCELLED:
        return Step(order, ("order.cancelled",))
    if order.cancellation_requested:
        return Step(order, ("order.cancellation_requested",))
    if past_deadline:
        return ask_to_cancel(order, CancelReason.DEADLINE_EXCEEDED)
    return Step(order, ("order.placed",))
