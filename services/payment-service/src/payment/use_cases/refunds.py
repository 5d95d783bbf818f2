"""Money back: for a return, or because staff say so."""

from datetime import UTC, datetime

from common.errors import IllegalTransition
from common.ids import new_id
from sqlalchemy import Connection

from payment import domain
from payment.domain import RETURNED, NotRefundable, Payment, PaymentNotFound, Refund, RefundTooLarge
from payment.store import ledger, payments
from payment.use_cases import applying


def refund_return(
    tx: Connection, order_id: str, return_id: str, amount_minor: int, currency: str
) -> None:
    """Give back what a return is worth, once; asked again, tell it again when it is made.

    Publishes payment.refunded if it is made. Raises IllegalTransition if there is not so much.
    """
    payment = payments.get(tx, order_id)
    if payment is None or payment.currency != currency:
        raise IllegalTransition(f"order {order_id} has no payment in {currency} to give back")
    known = next((r for r in ledger.refunds_of(tx, payment.id) if r.return_id == return_id), None)
    if known is None:
        _check(tx, payment, amount_minor)
        applying.request(
            tx, payment, Refund(new_id(), payment.id, amount_minor, RETURNED, return_id)
        )
    elif known.amount_minor != amount_minor:
        raise IllegalTransition(f"return {return_id} was worth {known.amount_minor} before")
    elif known.succeeded:
        applying.tell_refund(tx, payment, known)


def refund_by_staff(
    tx: Connection, order_id: str, amount_minor: int, reason: str, staff_id: str
) -> tuple[Payment, Refund, datetime]:
    """Ask for a refund of part or all. Raises PaymentNotFound, NotRefundable, RefundTooLarge."""
    payment = payments.get(tx, order_id)
    if payment is None:
        raise PaymentNotFound(f"order {order_id} has no payment", order_id=order_id)
    _refundable(tx, payment, amount_minor)
    refund = Refund(new_id(), payment.id, amount_minor, reason)
    applying.request(tx, payment, refund, by=staff_id)
    return payment, refund, datetime.now(UTC)


def _check(tx: Connection, payment: Payment, amount_minor: int) -> None:
    try:
        _refundable(tx, payment, amount_minor)
    except (NotRefundable, RefundTooLarge) as error:  # Nobody waits for an answer to an event.
        raise IllegalTransition(str(error)) from error


def _refundable(tx: Connection, payment: Payment, amount_minor: int) -> None:
    """The row is locked, so that of two refunds that race the second sees the first."""
    refunds = ledger.refunds_of(tx, payment.id)
    pending = sum(refund.amount_minor for refund in refunds if not refund.succeeded)
    domain.check_refund(ledger.balance(tx, payment.id), pending, amount_minor)
