"""Placing, reading, cancelling and moving on an order, in the caller's transaction.

None commits; the edge does. The order row's lock decides between confirm and cancel.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from common import metrics, tracing
from common.errors import IllegalTransition
from common.events import Event, publish
from common.ids import new_id
from sqlalchemy import Connection

from order import domain, saga
from order.domain import (
    CancelReason,
    Changes,
    HistoryEntry,
    Order,
    OrderLine,
    OrderNotFound,
    OrderStatus,
    OrderView,
    Wanted,
)
from order.store import nudges
from order.store import orders as store

# A shopper waits minutes, not hours; a provider's webhook may take some of them.
DEADLINE = timedelta(minutes=15)
# A step takes well under a second; thirty is a lost message, not a slow one.
NUDGE_AFTER = timedelta(seconds=30)
NUDGE_AFTER_MAX = timedelta(minutes=5)
# More would only make the number large: four lead to NUDGE_AFTER_MAX already.
NUDGE_DOUBLINGS_MAX = 8

finals = metrics.meter.create_counter("app.orders.final", "{order}", "By status and reason.")
durations = metrics.meter.create_histogram("app.order.duration", "s", "From placed to final.")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Placement:
    """What a shopper asks for, priced. time_scale divides the saga's deadlines."""

    customer_id: str
    email: str
    currency: str
    payment_method: str
    lines: tuple[OrderLine, ...]
    client_token: str | None = None
    time_scale: float = 1.0


def place_order(tx: Connection, placement: Placement, now: datetime) -> OrderView:
    """Accept the order, `pending`. Publishes order.placed."""
    order = Order(
        id=new_id(),
        customer_id=placement.customer_id,
        email=placement.email,
        currency=placement.currency,
        totals=domain.total(placement.lines),
        payment_method=placement.payment_method,
        status=OrderStatus.PENDING,
        placed_at=now,
        updated_at=now,
        traceparent=tracing.current_traceparent(),
        client_token=placement.client_token,
    )
    store.add(
        tx,
        order,
        placement.lines,
        deadline_at=now + DEADLINE / placement.time_scale,
        next_nudge_at=now + NUDGE_AFTER / placement.time_scale,
    )
    publish(tx, _event("order.placed", order, placement.lines))
    entry = HistoryEntry(order.version, order.status, "order.placed", now)
    return OrderView(order, placement.lines, (entry,))


def read_order(tx: Connection, order_id: str, customer_id: str | None) -> OrderView:
    """customer_id: whose it must be; None for staff. Raises OrderNotFound."""
    view = store.view(tx, order_id)
    if view is None or customer_id not in {None, view.order.customer_id}:
        raise OrderNotFound(f"order {order_id} does not exist", order_id=order_id)
    return view


def changes_after(tx: Connection, order_id: str, version: int) -> Changes:
    """Of an order that the caller was allowed to read."""
    return store.changes_after(tx, order_id, version)


def placed_before(tx: Connection, customer_id: str, client_token: str) -> OrderView:
    """The order that this key placed, though its stored answer is forgotten (after 72 h)."""
    order_id = store.placed_by(tx, customer_id, client_token)
    return read_order(tx, order_id, customer_id)


def list_orders(
    tx: Connection, wanted: Wanted, before: str | None, limit: int
) -> tuple[list[Order], str | None]:
    """A page of orders, newest first, and where the next one starts, if any."""
    found = store.page(tx, wanted, before, limit + 1)
    page = found[:limit]
    return page, page[-1].id if len(found) > limit else None


def cancel_order(tx: Connection, order_id: str, customer_id: str, now: datetime) -> OrderView:
    """Ask for the cancellation; payment answers. Again is the same as once.

    Raises OrderNotFound, NotCancellable. Publishes order.cancellation_requested.
    """
    order = store.get(tx, order_id)
    if order is None or order.customer_id != customer_id:
        raise OrderNotFound(f"order {order_id} does not exist", order_id=order_id)
    step = saga.ask_to_cancel(order, CancelReason.CUSTOMER_CANCELLED)
    _apply(tx, order, step, "order.cancellation_requested", now)
    return read_order(tx, order_id, customer_id)


def advance(tx: Connection, order_id: str, event_type: str, now: datetime) -> None:
    """A neighbour's answer moves the order on. Raises IllegalTransition.

    Publishes order.confirmed or order.cancelled when the answer decides.
    """
    order = known(tx, order_id, event_type)
    step = saga.after(order, event_type)
    _apply(tx, order, step, event_type, now)
    if step.order.status is not order.status:
        _count(step.order, now)


def ask_customer(tx: Connection, order_id: str, action_url: str, now: datetime) -> None:
    """The customer's bank wants to hear from them. Publishes order.action_required, once.

    Raises IllegalTransition.
    """
    order = known(tx, order_id, "payment.action_required")
    step = saga.after(order, "payment.action_required")
    if not step.noted or order.action_url == action_url:
        return  # The order is decided already, or the customer was told.
    asked = replace(step, order=replace(step.order, action_url=action_url))
    _apply(tx, order, asked, "payment.action_required", now)


def lock_together(tx: Connection, order_ids: Collection[str]) -> None:
    """Whoever changes several orders in one transaction begins here."""
    store.lock(tx, order_ids)


def known(tx: Connection, order_id: str, event_type: str) -> Order:
    """The order, locked. Raises IllegalTransition if nobody ever placed it."""
    order = store.get(tx, order_id)
    if order is None:
        raise IllegalTransition(f"{event_type} for order {order_id}, which does not exist")
    return order


def note_refund(tx: Connection, before: Order, amount_minor: int, now: datetime) -> Order:
    """Money went back for *before*. Raises IllegalTransition. The event is the caller's."""
    step = saga.after(before, "payment.refunded")
    refunded = before.refunded_minor + amount_minor
    paid_back = replace(step, order=replace(step.order, refunded_minor=refunded), publishes=None)
    _apply(tx, before, paid_back, "payment.refunded", now)
    return paid_back.order


def _count(order: Order, now: datetime) -> None:
    reason = order.cancel_reason or "none"
    finals.add(1, {"app.order.status": order.status, "app.order.cancel_reason": reason})
    durations.record((now - order.placed_at).total_seconds(), {"app.order.status": order.status})


def nudge_waiting_orders(
    tx: Connection, now: datetime, limit: int, *, time_scale: float = 1.0
) -> int:
    """Ask again for every step that did not come in time; return how many.

    An order past its deadline starts to cancel. Publishes what the order waits on, as new events.
    """
    due = nudges.due_for_nudge(tx, now, limit)
    for order, deadline_at in due:
        with tracing.resumed_span("nudge order", order.traceparent, **{"app.order.id": order.id}):
            step = saga.nudge(order, past_deadline=now >= deadline_at)
            log.warning("order_nudged", order_id=order.id, publishes=step.publishes)
            if step.order == order:
                _publish(tx, order, step.publishes)
            else:
                _apply(tx, order, step, "order.cancellation_requested", now)
            nudges.schedule_nudge(tx, order.id, _next_nudge(order, deadline_at, now, time_scale))
    return len(due)


def _next_nudge(order: Order, deadline_at: datetime, now: datetime, time_scale: float) -> datetime:
    """Ever more rarely, but at the deadline in any case: no pause may lead past it."""
    pause = NUDGE_AFTER * (1 << min(order.nudges + 1, NUDGE_DOUBLINGS_MAX))
    at = now + min(pause, NUDGE_AFTER_MAX) / time_scale
    return min(at, deadline_at) if now < deadline_at else at


def _apply(tx: Connection, before: Order, step: saga.Step, event: str, now: datetime) -> None:
    """Save what *step* changed, with its line of history, and publish what follows."""
    if step.order == before and not step.noted:
        _publish(tx, before, step.publishes)  # A question that is asked again.
        return
    after = replace(step.order, version=before.version + 1, updated_at=now)
    store.save(tx, after, event)
    _publish(tx, after, step.publishes)


def _publish(tx: Connection, order: Order, event_type: str | None) -> None:
    if event_type is None:
        return
    needs_lines = event_type in {"order.placed", "order.confirmed"}
    lines = store.lines_of(tx, order.id) if needs_lines else ()
    publish(tx, _event(event_type, order, lines))


def _event(event_type: str, order: Order, lines: Sequence[OrderLine]) -> Event:
    """As `contract/events/` describes it."""
    data: dict[str, Any] = {"order_id": order.id}
    match event_type:
        case "order.placed":
            data |= {
                "customer_id": order.customer_id,
                "amount_minor": order.total_minor,
                **_parts(order),
                "currency": order.currency,
                "payment_method": order.payment_method,
                "lines": [{"sku": line.sku, "quantity": line.quantity} for line in lines],
            }
        case "order.confirmed":
            data |= (
                addressee(order)
                | _parts(order)
                | {
                    "lines": [
                        {
                            "sku": line.sku,
                            "name": line.name,
                            "quantity": line.quantity,
                            "unit_price_minor": line.unit_price_minor,
                        }
                        for line in lines
                    ],
                }
            )
        case "order.cancellation_requested":
            data |= {"reason": order.cancellation_requested}
        case "order.cancelled":
            data |= addressee(order) | {"reason": order.cancel_reason}
        case "order.action_required":
            data |= addressee(order) | {"action_url": order.action_url}
    return Event(event_type, order.id, data)


def addressee(order: Order) -> dict[str, Any]:
    """Whom a mail about the order goes to: only orders know (ADR-0013)."""
    return {
        "customer_id": order.customer_id,
        "email": order.email,
        "total_minor": order.total_minor,
        "currency": order.currency,
    }


def _parts(order: Order) -> dict[str, int]:
    return {
        "subtotal_minor": order.totals.subtotal_minor,
        "shipping_minor": order.totals.shipping_minor,
        "tax_minor": order.totals.tax_minor,
    }
