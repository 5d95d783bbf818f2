"""Goods that come back and the money for them, in the caller's transaction.

The order row's lock comes first in each of them, so two returns never share a last piece.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from common import tracing
from common.errors import IllegalTransition
from common.events import Event, publish
from common.ids import new_id
from sqlalchemy import Connection

from order import domain, saga
from order.domain import (
    NotReturnable,
    Order,
    OrderNotFound,
    Return,
    ReturnNotFound,
    ReturnStatus,
)
from order.store import orders as order_store
from order.store import returns as store
from order.use_cases.orders import (
    NUDGE_AFTER,
    NUDGE_AFTER_MAX,
    NUDGE_DOUBLINGS_MAX,
    addressee,
    known,
    note_refund,
)

log = structlog.get_logger()


def request_return(
    tx: Connection,
    order_id: str,
    customer_id: str,
    quantities: Mapping[str, int],
    reason: str,
    now: datetime,
) -> Return:
    """The customer wants to bring goods back; nothing moves until staff have them.

    Raises OrderNotFound, NotReturnable, ReturnTooLarge.
    """
    order = order_store.get(tx, order_id)
    if order is None or order.customer_id != customer_id:
        raise OrderNotFound(f"order {order_id} does not exist", order_id=order_id)
    domain.check_returnable(order, now)
    lines, earlier = order_store.lines_of(tx, order_id), store.of_order(tx, order_id)
    domain.check_quantities(lines, earlier, quantities)
    amount_minor = domain.refund_of(order, lines, earlier, quantities)
    promised = sum(r.amount_minor for r in earlier if r.status is not ReturnStatus.REFUNDED)
    if amount_minor > order.total_minor - order.refunded_minor - promised:
        raise NotReturnable("its money was paid back already", order_id=order_id)
    one = Return(
        id=new_id(),
        order_id=order_id,
        status=ReturnStatus.REQUESTED,
        reason=reason,
        amount_minor=amount_minor,
        quantities=dict(quantities),
        requested_at=now,
    )
    store.add(tx, one)
    return one


def list_returns(tx: Connection, order_id: str, customer_id: str | None) -> list[Return]:
    """Oldest first. customer_id: whose order it must be; None for staff. Raises OrderNotFound."""
    customer = order_store.customer_of(tx, order_id)
    if customer is None or customer_id not in {None, customer}:
        raise OrderNotFound(f"order {order_id} does not exist", order_id=order_id)
    return store.of_order(tx, order_id)


def receive_goods(
    tx: Connection, order_id: str, return_id: str, now: datetime, *, time_scale: float = 1.0
) -> Return:
    """Staff have the goods. Again is the same as once. Publishes order.returned.

    Raises ReturnNotFound.
    """
    order = order_store.get(tx, order_id)
    found = {r.id: r for r in store.of_order(tx, order_id)} if order else {}
    if order is None or return_id not in found:
        raise ReturnNotFound(f"return {return_id} does not exist", return_id=return_id)
    one = found[return_id]
    received = saga.take_in(one)
    if received != one:
        store.save(tx, received, now, now + NUDGE_AFTER / time_scale)
        publish(tx, _returned(order, received))
    return received


def on_refunded(
    tx: Connection,
    order_id: str,
    refund: Mapping[str, Any],
    now: datetime,
    *,
    time_scale: float = 1.0,
) -> None:
    """Payment paid money back, for a return or otherwise. Told again changes nothing.

    refund: ``refund_id``, ``return_id`` (may be None), ``amount_minor``: 0 if nothing was left for
    the return, which ends so. Publishes order.refunded, unless of 0. Raises IllegalTransition.
    """
    order = known(tx, order_id, "payment.refunded")
    return_id, amount = refund["return_id"], refund["amount_minor"]
    if not amount:
        _settle(tx, order_id, return_id, now, time_scale, status=ReturnStatus.REFUNDED)
        return
    if not store.add_refund(tx, refund["refund_id"], order_id, return_id, amount):
        return
    if return_id:
        _settle(tx, order_id, return_id, now, time_scale, status=ReturnStatus.REFUNDED)
    order = note_refund(tx, order, amount, now)
    about = {"refund_id": refund["refund_id"], "return_id": return_id, "amount_minor": amount}
    told = {name: value for name, value in addressee(order).items() if name != "total_minor"}
    publish(tx, Event("order.refunded", order_id, {"order_id": order_id, **told, **about}))


def on_restocked(
    tx: Connection, order_id: str, return_id: str, now: datetime, *, time_scale: float = 1.0
) -> None:
    """The inventory has the goods on the shelf. Raises IllegalTransition."""
    known(tx, order_id, "stock.returned")
    _settle(tx, order_id, return_id, now, time_scale, restocked=True)


def _settle(
    tx: Connection,
    order_id: str,
    return_id: str,
    now: datetime,
    time_scale: float,
    **changes: Any,
) -> None:
    found = {r.id: r for r in store.of_order(tx, order_id)}
    if return_id not in found or found[return_id].status is ReturnStatus.REQUESTED:
        raise IllegalTransition(f"return {return_id} of order {order_id} was not taken in")
    one = replace(found[return_id], **changes)
    if one != found[return_id]:
        store.save(tx, one, now, None if one.settled else now + NUDGE_AFTER_MAX / time_scale)


def nudge_returns(tx: Connection, now: datetime, limit: int, *, time_scale: float = 1.0) -> int:
    """Ask again for what did not come in time; return how many. Publishes order.returned."""
    due = store.due_for_nudge(tx, now, limit)
    for one in due:
        order = order_store.find(tx, one.order_id)
        with tracing.resumed_span("nudge return", order.traceparent, **{"app.order.id": order.id}):
            log.warning("return_nudged", order_id=order.id, return_id=one.id)
            publish(tx, _returned(order, one))
            pause = NUDGE_AFTER * (1 << min(one.nudges + 1, NUDGE_DOUBLINGS_MAX))
            at = now + min(pause, NUDGE_AFTER_MAX) / time_scale
            store.schedule_nudge(tx, one.id, at)
    return len(due)


def _returned(order: Order, one: Return) -> Event:
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in one.quantities.items()]
    data = {
        "order_id": order.id,
        "return_id": one.id,
        "customer_id": order.customer_id,
        "amount_minor": one.amount_minor,
        "currency": order.currency,
        "lines": lines,
    }
    return Event("order.returned", order.id, data)
