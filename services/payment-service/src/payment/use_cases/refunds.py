"""Money back: for a return, or because staff say so."""

from datetime import UTC, datetime
from itertools import takewhile

import structlog
from common.errors import IllegalTransition
from common.ids import new_id
from sqlalchemy import Connection

from payment import domain
from payment.domain import RETURNED, Payment, PaymentNotFound, Refund
from payment.store import ledger, payments
from payment.use_cases import provider_facts

log = structlog.get_logger()


def refund_return(
    tx: Connection, order_id: str, return_id: str, amount_minor: int, currency: str
) -> None:
    """Give back what a return is worth, once, or what is left of it: staff may have given some
    back since it was asked for. Asked again, tell it again when it is made.

    Publishes payment.refunded if it is made, and at once if nothing is left. Raises
    IllegalTransition if so much was never taken, or another sum was asked for before.
    """
    payment = payments.get(tx, order_id)
    if payment is None or payment.currency != currency:
        raise IllegalTransition(f"order {order_id} has no payment in {currency} to give back")
    refunds = ledger.refunds_of(tx, payment.id)
    earlier = list(takewhile(lambda refund: refund.return_id != return_id, refunds))
    known = refunds[len(earlier)] if len(earlier) < len(refunds) else None
    others_minor = sum(refund.amount_minor for refund in earlier)
    captured_minor = ledger.balance(tx, payment.id).captured_minor
    due_minor = domain.due_for_return(captured_minor, others_minor, amount_minor)
    if known is None:
        if due_minor < amount_minor:
            log.warning(
                "return_refunded_short",
                order_id=order_id,
                return_id=return_id,
                asked_minor=amount_minor,
                amount_minor=due_minor,
            )
        _pay_back(tx, payment, return_id, due_minor)
    elif known.amount_minor != due_minor:
        raise IllegalTransition(f"return {return_id} was worth {known.amount_minor} before")
    elif known.succeeded:
        provider_facts.tell_refund(tx, payment, known)


def refund_by_staff(
    tx: Connection, order_id: str, amount_minor: int, reason: str, staff_id: str
) -> tuple[Payment, Refund, datetime]:
    """Ask for a refund of part or all. Raises PaymentNotFound, NotRefundable, RefundTooLarge."""
    payment = payments.get(tx, order_id)
    if payment is None:
        raise PaymentNotFound(f"order {order_id} has no payment", order_id=order_id)
    _refundable(tx, payment, amount_minor)
    refund = Refund(new_id(), payment.id, amount_minor, reason)
    provider_facts.request(tx, payment, refund, by=staff_id)
    return payment, refund, datetime.now(UTC)


def _pay_back(tx: Connection, payment: Payment, return_id: str, due_minor: int) -> None:
    """Nothing is not asked of the provider, nor kept: it is told, by one id however often."""
    if due_minor:
        provider_facts.request(
            tx, payment, Refund(new_id(), payment.id, due_minor, RETURNED, return_id)
        )
    else:
        nothing = Refund(return_id, payment.id, 0, RETURNED, return_id)
        provider_facts.tell_refund(tx, payment, nothing)


def _refundable(tx: Connection, payment: Payment, amount_minor: int) -> None:
    """The row is locked, so that of two refunds that race the second sees the first."""
    refunds = ledger.refunds_of(tx, payment.id)
    pending = sum(refund.amount_minor for refund in refunds if not refund.succeeded)
    domain.check_refund(ledger.balance(tx, payment.id), pending, amount_minor)
