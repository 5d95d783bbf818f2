"""What the payment service does: one function per use case.

Functions that take `tx` first run in the caller's transaction and never commit. The two steps
around a call to the provider, `claim` and `apply`, are separate transactions on purpose.
"""

import random
from typing import Any

import structlog
from common.errors import IllegalTransition
from common.events import Event, publish
from common.ids import new_id
from sqlalchemy import Connection

from payment import domain, store
from payment.domain import (
    Fact,
    Operation,
    OperationKind,
    Payment,
    PaymentNotFound,
    PaymentStatus,
)

# Longer than a call may take (5.25 s), so that nobody else makes it meanwhile.
LEASE_S = 10.0
# After an answer that says neither yes nor no: 0.5 s, doubled, at most a minute, with jitter.
RETRY_S = 0.5
RETRY_S_MAX = 60.0
# Enough to reach the minute; 2.0 ** 1024, after a day of asking, would be an OverflowError.
RETRY_DOUBLINGS_MAX = 7

log = structlog.get_logger()


def initiate(
    tx: Connection, order_id: str, amount_minor: int, currency: str, payment_method: str
) -> None:
    """Start the order's payment; asked again, tell the known outcome again.

    Publishes payment.authorized, payment.declined, payment.captured or payment.voided if known.
    Raises IllegalTransition if it was asked before at other terms.
    """
    payment = Payment(
        new_id(), order_id, amount_minor, currency, payment_method, PaymentStatus.INITIATED
    )
    if store.add(tx, payment):
        store.add_operation(tx, payment.id, OperationKind.AUTHORIZE)
        return
    known = store.get(tx, order_id)
    assert known is not None, "add() found its row"
    domain.check_same(known, payment)
    _tell(tx, known)


def capture(tx: Connection, order_id: str) -> None:
    """Take the held money; say so again if it was taken. Raises IllegalTransition."""
    payment = store.get(tx, order_id)
    if payment is None:
        raise IllegalTransition(f"order {order_id} is confirmed and has no payment")
    if domain.capture(payment):
        store.add_operation(tx, payment.id, OperationKind.CAPTURE)
    else:
        _tell(tx, payment)


def cancel(tx: Connection, order_id: str) -> None:
    """Make sure that no money of this order is or will be held; then say so.

    Publishes payment.voided or payment.declined, at once if it is known. Raises
    IllegalTransition if the money was taken, or is about to be.
    """
    payment = store.get(tx, order_id) or _never_asked(tx, order_id)
    capture_asked = store.is_asked(tx, payment.id, OperationKind.CAPTURE)
    if domain.void(payment, capture_asked=capture_asked):
        store.add_operation(tx, payment.id, OperationKind.VOID)
    if payment.status in {PaymentStatus.INITIATED, PaymentStatus.AUTHORIZED}:
        store.request_void(tx, payment.id)
    else:
        _tell(tx, payment)


def claim(tx: Connection, limit: int) -> list[Operation]:
    """What has to be asked of the provider now; nobody else asks it for LEASE_S."""
    return store.claim_operations(tx, limit, LEASE_S)


def apply(tx: Connection, operation: Operation, fact: Fact) -> None:
    """The provider has answered. The only place where an answer changes a payment.

    Publishes what it means. A second answer to the same operation changes nothing.
    Raises IllegalTransition if the answer fits no question.
    """
    payment = store.get(tx, operation.payment.order_id)
    assert payment is not None, "operations refer to payments"
    if not store.finish_operation(tx, operation.id):
        return
    after = domain.after(payment, operation.kind, fact)
    store.save(tx, after)
    if after.status is PaymentStatus.CAPTURED:
        store.add_ledger_entries(tx, after, domain.ledger_entries(after))
    if after.status is PaymentStatus.AUTHORIZED and after.void_requested:
        store.add_operation(tx, after.id, OperationKind.VOID)
    else:
        _tell(tx, after)


def postpone(tx: Connection, operation: Operation, error: str) -> None:
    """The outcome is unknown: ask again later, with the same key."""
    doublings = min(operation.attempts - 1, RETRY_DOUBLINGS_MAX)
    delay_s = min(RETRY_S * 2.0**doublings, RETRY_S_MAX)
    jittered_s = delay_s * random.uniform(0.5, 1.0)  # noqa: S311  Spreads retries, guards nothing.
    store.postpone_operation(tx, operation.id, jittered_s, error)


def payment_of(tx: Connection, order_id: str) -> Payment:
    """Raises PaymentNotFound."""
    payment = store.find(tx, order_id)
    if payment is None:
        raise PaymentNotFound(f"order {order_id} has no payment", order_id=order_id)
    return payment


def _never_asked(tx: Connection, order_id: str) -> Payment:
    """The tombstone; or the payment, if its reservation was faster after all."""
    payment = domain.never_asked(new_id(), order_id)
    if store.add(tx, payment):
        return payment
    known = store.get(tx, order_id)
    assert known is not None, "add() found its row"
    return known


def _tell(tx: Connection, payment: Payment) -> None:
    """Publish what is known of *payment*; nothing while the provider has not answered."""
    about: dict[str, Any] = {"order_id": payment.order_id, "payment_id": payment.id}
    amount = {"amount_minor": payment.amount_minor, "currency": payment.currency}
    match payment.status:
        case PaymentStatus.INITIATED:
            return
        case PaymentStatus.AUTHORIZED if payment.void_requested:
            return  # The void is under way, and its answer is what counts.
        case PaymentStatus.AUTHORIZED | PaymentStatus.CAPTURED:
            data = about | amount
        case PaymentStatus.DECLINED:
            data = about | {"reason": payment.decline_code or "declined"}
        case PaymentStatus.VOIDED:
            data = about | {"authorized": payment.provider_payment_id is not None}
    publish(tx, Event(f"payment.{payment.status}", payment.order_id, data))
