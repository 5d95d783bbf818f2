"""What the order asks of its payment, and what anybody may see of it."""

from dataclasses import dataclass, replace
from datetime import datetime

from common import tracing
from common.errors import IllegalTransition
from common.ids import new_id
from sqlalchemy import Connection

from payment import domain
from payment.domain import (
    TAKEN,
    UNANSWERED,
    Balance,
    OperationKind,
    Payment,
    PaymentNotFound,
    PaymentStatus,
    Refund,
)
from payment.store import ledger, operations, payments
from payment.store.payments import Listed
from payment.use_cases import provider_facts

__all__ = [
    "Listed",
    "PaymentView",
    "cancel",
    "capture",
    "initiate",
    "never_arrived",
    "page",
    "payment_of",
]

# A question that was put so often, some three minutes long, needs a person to look.
ATTENTION_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment with the sums of its ledger and its latest refunds, newest first."""

    payment: Payment
    balance: Balance
    refunds: list[tuple[Refund, datetime]]
    created_at: datetime
    updated_at: datetime


def initiate(
    tx: Connection,
    order_id: str,
    amount_minor: int,
    currency: str,
    payment_method: str,
    customer_id: str | None = None,
) -> None:
    """Start the order's payment; asked again, tell the known outcome again.

    Publishes what is known. Raises IllegalTransition if it was asked before at other terms.
    """
    payment = Payment(
        id=new_id(),
        order_id=order_id,
        amount_minor=amount_minor,
        currency=currency,
        payment_method=payment_method,
        status=PaymentStatus.INITIATED,
        customer_id=customer_id,
        traceparent=tracing.current_traceparent(),
    )
    if payments.add(tx, payment):
        operations.add(tx, payment.id, OperationKind.AUTHORIZE)
        return
    known = payments.get(tx, order_id)
    assert known is not None, "add() found its row"
    domain.check_same(known, payment)
    if customer_id and known.customer_id is None:
        payments.name_owner(tx, known, customer_id)
    provider_facts.tell(tx, known)


def capture(tx: Connection, order_id: str) -> None:
    """Take the held money; say so again if it was taken. Raises IllegalTransition."""
    payment = payments.get(tx, order_id)
    if payment is None:
        raise IllegalTransition(f"order {order_id} is confirmed and has no payment")
    if domain.capture(payment):
        operations.add(tx, payment.id, OperationKind.CAPTURE)
        return
    if not operations.is_asked(tx, payment.id, OperationKind.CAPTURE):
        # Taken before we asked; asking now and at once being answered is what the order sees.
        operations.add(tx, payment.id, OperationKind.CAPTURE)
        operations.finish(tx, payment.id, [OperationKind.CAPTURE])
    provider_facts.tell(tx, payment)


def cancel(tx: Connection, order_id: str) -> None:
    """Make sure that no money of this order is or will be held; then say so.

    Publishes payment.voided or payment.declined, at once if it is known. What was taken goes
    back first. Raises IllegalTransition if the order was confirmed.
    """
    payment = payments.get(tx, order_id) or _never_asked(tx, order_id)
    asked = operations.is_asked(tx, payment.id, OperationKind.CAPTURE)
    domain.check_cancellable(payment, capture_asked=asked)
    if payment.status in {PaymentStatus.DECLINED, PaymentStatus.VOIDED}:
        provider_facts.tell(tx, payment)
        return
    unwanted = replace(payment, void_requested=True)
    if operations.withdraw_unsent(tx, payment.id, OperationKind.AUTHORIZE):
        unwanted = replace(unwanted, status=PaymentStatus.VOIDED)
    payments.save(tx, unwanted)
    if unwanted.status in {PaymentStatus.ACTION_REQUIRED, PaymentStatus.AUTHORIZED}:
        operations.add(tx, payment.id, OperationKind.VOID)
    elif unwanted.status in TAKEN:
        provider_facts.give_back(tx, unwanted)
    provider_facts.tell(tx, unwanted)


def never_arrived(tx: Connection, order_id: str) -> None:
    """The provider knows nothing of a payment that is not wanted any more: so there is none.

    Should the request arrive after all, its fact is late, and is undone. Publishes payment.voided.
    """
    payment = payments.get(tx, order_id)
    assert payment is not None, "operations refer to payments"
    if payment.status in UNANSWERED and payment.void_requested:
        closed = replace(payment, status=PaymentStatus.VOIDED)
        payments.save(tx, closed)
        operations.finish(tx, payment.id, [OperationKind.AUTHORIZE])
        provider_facts.tell(tx, closed)


def payment_of(tx: Connection, order_id: str, customer_id: str | None = None) -> PaymentView:
    """customer_id: whose it must be; None for staff and services. Raises PaymentNotFound."""
    listed = payments.listed(tx, order_id)
    if listed is None or customer_id not in {None, listed.payment.customer_id}:
        raise PaymentNotFound(f"order {order_id} has no payment", order_id=order_id)
    payment = listed.payment
    return PaymentView(
        payment,
        ledger.balance(tx, payment.id),
        ledger.shown(tx, payment.id),
        listed.created_at,
        listed.updated_at,
    )


def page(
    tx: Connection, before: str | None, limit: int, *, attention: bool
) -> tuple[list[Listed], str | None]:
    """A page of payments, newest first, and where the next one starts, if any.

    attention: only those that need a person to look.
    """
    found = payments.page(tx, before, limit + 1, attention=attention, attempts=ATTENTION_ATTEMPTS)
    shown = found[:limit]
    return shown, shown[-1].payment.id if len(found) > limit else None


def _never_asked(tx: Connection, order_id: str) -> Payment:
    """The tombstone; or the payment, if its reservation was faster after all."""
    payment = domain.never_asked(new_id(), order_id)
    if payments.add(tx, payment):
        return payment
    known = payments.get(tx, order_id)
    assert known is not None, "add() found its row"
    return known
