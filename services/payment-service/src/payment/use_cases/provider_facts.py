"""The one place where what the provider says changes a payment (ADR-0014).

Answers, webhooks and the comparison of the books all come through `apply`, under the lock of the
payment's row; a fact that is old news changes nothing, so their number and order do not matter.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from common.events import Event, publish
from common.ids import new_id
from common.metrics import meter
from sqlalchemy import Connection

from payment import domain
from payment.domain import (
    CANCELLED,
    MADE_AT_PROVIDER,
    TAKEN,
    AmountsDiffer,
    Fact,
    OperationKind,
    Payment,
    PaymentStatus,
    Refund,
    RefundFact,
    UnknownCharge,
)
from payment.store import ledger, operations, payments

# Before our name of a refund, in the place of the provider's.
OURS = "of:"

log = structlog.get_logger()
_changes = meter.create_counter("app.payments.changed", unit="{payment}")
_refunds = meter.create_counter("app.payments.refunded", unit="{refund}")


def apply(tx: Connection, order_id: str, fact: Fact) -> bool:
    """Whether *fact* was news.

    Publishes what it means. Raises UnknownCharge, AnotherPayment, AmountsDiffer, StatusDiffers:
    then nothing may be committed.
    """
    before = payments.get(tx, order_id)
    if before is None:
        raise UnknownCharge(f"order {order_id} has no payment")
    after = domain.after(before, fact)
    if after != before:
        _change(tx, before, after)
    told = [fact.refund] if fact.refund else _implied(tx, after, fact)
    settled = [refund for refund in told if _settle(tx, order_id, refund)]
    return after != before or bool(settled)


def tell(tx: Connection, payment: Payment) -> None:
    """Publish what is known of *payment*; nothing while something else has to come first."""
    about: dict[str, Any] = {"order_id": payment.order_id, "payment_id": payment.id}
    amount = {"amount_minor": payment.amount_minor, "currency": payment.currency}
    status: PaymentStatus = payment.status
    match status:
        case PaymentStatus.DECLINED:
            data = about | {"reason": payment.decline_code or "declined"}
        case PaymentStatus.VOIDED:
            data = about | {"authorized": payment.provider_payment_id is not None}
        case PaymentStatus.REFUNDED if payment.void_requested:
            status, data = PaymentStatus.VOIDED, about | {"authorized": True}
        case _ if payment.void_requested or status in domain.UNANSWERED:
            return  # A void or a refund is under way, and its answer is what counts.
        case PaymentStatus.ACTION_REQUIRED:
            data = about | _action(payment)
        case _:
            status, data = _held_or_taken(tx, payment), about | amount
    publish(tx, Event(f"payment.{status}", payment.order_id, data))


def tell_refund(tx: Connection, payment: Payment, refund: Refund) -> None:
    """Publishes payment.refunded."""
    data = {
        "order_id": payment.order_id,
        "payment_id": payment.id,
        "refund_id": refund.id,
        "return_id": refund.return_id,
        "amount_minor": refund.amount_minor,
        "currency": payment.currency,
        "reason": refund.reason,
    }
    publish(tx, Event("payment.refunded", payment.order_id, data))


def give_back(tx: Connection, payment: Payment) -> None:
    """Ask for the refund of all that is left of a payment whose order was cancelled."""
    balance = ledger.balance(tx, payment.id)
    known = ledger.refunds_of(tx, payment.id)
    left = balance.captured_minor - sum(refund.amount_minor for refund in known)
    if left > 0:
        request(tx, payment, Refund(new_id(), payment.id, left, CANCELLED))


def request(tx: Connection, payment: Payment, refund: Refund, by: str | None = None) -> None:
    """Write *refund* down as asked for, with the operation that makes it."""
    ledger.add_refund(tx, refund, by)
    operations.add(
        tx,
        payment.id,
        OperationKind.REFUND,
        refund_id=refund.id,
        traceparent=payment.traceparent,
    )


def _change(tx: Connection, before: Payment, after: Payment) -> None:
    payments.save(tx, after)
    operations.finish(
        tx, after.id, [kind for kind in OperationKind if domain.is_reached(kind, after.status)]
    )
    _changes.add(1, {"app.payment.status": after.status})
    log.info("payment_changed", order_id=after.order_id, before=before.status, after=after.status)
    if after.status is PaymentStatus.CAPTURED:
        ledger.add_entries(tx, after, domain.capture_entries(after))
    if after.void_requested:
        _let_go(tx, after)
    if not _is_told(tx, before, after):
        tell(tx, after)


def _is_told(tx: Connection, before: Payment, after: Payment) -> bool:
    """That it is held was told; that it was taken unasked is told to whoever asks."""
    was_held = before.status is PaymentStatus.AUTHORIZED and after.status in TAKEN
    return was_held and _held_or_taken(tx, after) is PaymentStatus.AUTHORIZED


def _let_go(tx: Connection, payment: Payment) -> None:
    """Of an order that was cancelled: what is held is voided, what was taken goes back."""
    if payment.status in {PaymentStatus.ACTION_REQUIRED, PaymentStatus.AUTHORIZED}:
        operations.add(
            tx, payment.id, OperationKind.VOID, traceparent=payment.traceparent, again=True
        )
    if payment.status is PaymentStatus.CAPTURED:
        give_back(tx, payment)


def _implied(tx: Connection, payment: Payment, fact: Fact) -> list[RefundFact]:
    """Refunds of ours that must have been made, when only their sum was told."""
    if not fact.refunded_minor or payment.status not in TAKEN:
        return []
    made = ledger.balance(tx, payment.id).refunded_minor
    pending = [refund for refund in ledger.refunds_of(tx, payment.id) if not refund.succeeded]
    news = fact.refunded_minor - made
    if news == sum(refund.amount_minor for refund in pending):
        meant = pending
    else:
        alike = [refund for refund in pending if refund.amount_minor == news]
        meant = alike if len(alike) == 1 else []
    # The provider's own names for them were not told: ours must do.
    return [RefundFact(f"{OURS}{refund.id}", refund.amount_minor, refund.id) for refund in meant]


def _settle(tx: Connection, order_id: str, told: RefundFact) -> bool:
    """Whether the refund was not known to be made. Publishes payment.refunded."""
    payment = payments.get(tx, order_id)
    assert payment is not None, "apply() found it"
    known = ledger.refunds_of(tx, payment.id)
    if any(_is_made(refund, told) for refund in known):
        return False
    pending = [refund for refund in known if not refund.succeeded]
    refund = domain.named(pending, told) or _adopt(tx, payment, known, told)
    if refund.amount_minor != told.amount_minor:
        raise AmountsDiffer(f"refund {refund.id} is of {refund.amount_minor}, not as was told")
    ledger.succeed(tx, refund.id, told.id)
    ledger.add_entries(tx, payment, domain.refund_entries(refund), refund.id)
    operations.finish_refund(tx, refund.id)
    after = replace(payment, status=domain.refunded_status(ledger.balance(tx, payment.id)))
    payments.save(tx, after)
    tell_refund(tx, after, refund)
    _refunds.add(1, {"app.refund.reason": _kind_of(refund)})
    if after.void_requested and after.status is PaymentStatus.REFUNDED:
        tell(tx, after)
    return True


def _is_made(refund: Refund, told: RefundFact) -> bool:
    """By our name only while the provider's is not known: it may have taken another for ours."""
    made_as = refund.provider_refund_id or ""
    is_it = made_as == told.id or (made_as.startswith(OURS) and domain.is_named(refund, told))
    return refund.succeeded and is_it


def _adopt(tx: Connection, payment: Payment, known: list[Refund], told: RefundFact) -> Refund:
    """A refund that somebody made at the provider: money that moved belongs in the books.

    Raises AmountsDiffer if it cannot be of what was captured.
    """
    left = ledger.balance(tx, payment.id).captured_minor - sum(r.amount_minor for r in known)
    if told.amount_minor > left:
        raise AmountsDiffer(f"the provider gave back {told.amount_minor}, of {left} that are left")
    refund = Refund(new_id(), payment.id, told.amount_minor, MADE_AT_PROVIDER)
    ledger.add_refund(tx, refund)
    return refund


def _kind_of(refund: Refund) -> str:
    """Few words: what staff wrote as a reason is none of them."""
    if refund.return_id:
        return domain.RETURNED
    return refund.reason if refund.reason in {CANCELLED, MADE_AT_PROVIDER} else "staff"


def _held_or_taken(tx: Connection, payment: Payment) -> PaymentStatus:
    """Of money that was taken before anybody asked, the order hears first that it is held."""
    asked = operations.is_asked(tx, payment.id, OperationKind.CAPTURE)
    taken = payment.status in TAKEN and asked
    return PaymentStatus.CAPTURED if taken else PaymentStatus.AUTHORIZED


def _action(payment: Payment) -> dict[str, Any]:
    assert payment.action is not None, "clients refuse an action without an address"
    expires_at: datetime | None = payment.action.expires_at
    expiry = {"expires_at": expires_at.isoformat()} if expires_at else {}
    return {"action_url": payment.action.url} | expiry
