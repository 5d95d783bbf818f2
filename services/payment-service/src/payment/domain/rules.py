"""What may happen to a payment. No I/O, no clock, no framework.

    initiated | unknown -> action_required -> declined
                                           -> authorized -> voided
                                                         -> captured -> (partially_)refunded

A fact of the provider moves a payment forward along this order and never back, however often and
in whatever order the facts come (ADR-0014).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from common.errors import IllegalTransition

from payment.domain.values import (
    TOMBSTONE_CURRENCY,
    TOMBSTONE_METHOD,
    AmountsDiffer,
    AnotherPayment,
    Balance,
    Fact,
    NotRefundable,
    OperationKind,
    Payment,
    PaymentStatus,
    Refund,
    RefundFact,
    RefundTooLarge,
    StatusDiffers,
)

S = PaymentStatus
UNANSWERED: Final = frozenset({S.INITIATED, S.UNKNOWN})
TAKEN: Final = frozenset({S.CAPTURED, S.PARTIALLY_REFUNDED, S.REFUNDED})
# How far a payment has come. A decline ranks below the money that it may turn out to precede.
RANK: Final = {
    S.INITIATED: 0,
    S.UNKNOWN: 0,
    S.ACTION_REQUIRED: 1,
    S.DECLINED: 2,
    S.AUTHORIZED: 3,
    S.VOIDED: 4,
    S.CAPTURED: 5,
}


def never_asked(id: str, order_id: str) -> Payment:
    """A tombstone: the cancellation overtook the reservation, which must not be paid for now."""
    return Payment(id, order_id, 0, TOMBSTONE_CURRENCY, TOMBSTONE_METHOD, PaymentStatus.VOIDED)


def check_same(known: Payment, asked: Payment) -> None:
    """An order is paid for once, at one price. Raises IllegalTransition if *asked* is another."""
    tombstone = known.payment_method == TOMBSTONE_METHOD
    same = (known.amount_minor, known.currency, known.payment_method) == (
        asked.amount_minor, asked.currency, asked.payment_method,
    )  # fmt: skip
    if not (same or tombstone):
        raise IllegalTransition(f"order {known.order_id} is paid for at other terms already")


def after(payment: Payment, fact: Fact) -> Payment:
    """*payment* as *fact* makes it; itself if the fact is old news. Refunds are not looked at.

    Raises AnotherPayment, AmountsDiffer, StatusDiffers.
    """
    _check_terms(payment, fact)
    told = S.CAPTURED if fact.status in TAKEN else fact.status
    known = S.CAPTURED if payment.status in TAKEN else payment.status
    if _is_late(payment, told):
        return replace(_moved(payment, told, fact), void_requested=True, decline_code=None)
    if {known, told} == {S.VOIDED, S.CAPTURED}:
        raise StatusDiffers(f"payment {payment.id} is {known}, and the provider says {told}")
    if RANK[told] <= RANK[known]:
        return payment
    return _moved(payment, told, fact)


def _is_late(payment: Payment, told: PaymentStatus) -> bool:
    """Money that turns up after we said that there is none: it has to go back."""
    if payment.status is S.DECLINED and told in {S.AUTHORIZED, S.CAPTURED}:
        return True
    closed_without_one = payment.provider_payment_id is None and payment.status in {
        S.DECLINED, S.VOIDED,
    }  # fmt: skip
    return closed_without_one and told in {S.ACTION_REQUIRED, S.AUTHORIZED, S.CAPTURED}


def _moved(payment: Payment, status: PaymentStatus, fact: Fact) -> Payment:
    return replace(
        payment,
        status=status,
        provider_payment_id=fact.provider_payment_id,
        decline_code=fact.decline_code,
        action=fact.action if status is S.ACTION_REQUIRED else None,
    )


def _check_terms(payment: Payment, fact: Fact) -> None:
    """Raises AnotherPayment, AmountsDiffer: whatever the provider says then, it is not of ours."""
    if payment.provider_payment_id not in {None, fact.provider_payment_id}:
        raise AnotherPayment(f"payment {payment.id}: the provider tells about another")
    taken = fact.captured_minor if fact.status in TAKEN else None
    for ours, theirs in (
        (payment.amount_minor, fact.amount_minor),
        (payment.currency, fact.currency),
        (payment.amount_minor, taken),
    ):
        if theirs not in {None, ours}:
            raise AmountsDiffer(f"payment {payment.id} is of {ours}, at the provider of {theirs}")


def is_reached(kind: OperationKind, status: PaymentStatus) -> bool:
    """Whether *kind* need not be asked for any more. A refund is settled by its own name."""
    match kind:
        case OperationKind.AUTHORIZE:
            return status not in UNANSWERED
        case OperationKind.CAPTURE:
            return status in TAKEN
        case OperationKind.VOID:
            return status in {S.VOIDED, S.DECLINED} | TAKEN
        case OperationKind.REFUND:
            return False


def is_undone(kind: OperationKind, status: PaymentStatus) -> bool:
    """Whether *status* says that *kind* was not done, and may be, whatever became of its key."""
    match kind:
        case OperationKind.CAPTURE:
            return status is S.AUTHORIZED
        case OperationKind.VOID:
            return status in {S.ACTION_REQUIRED, S.AUTHORIZED}
        case OperationKind.AUTHORIZE | OperationKind.REFUND:
            return False  # No status forbids the provider to make a second one.


def capture_entries(captured: Payment) -> tuple[tuple[str, int], ...]:
    """(account, signed minor units) of a capture, summing to zero: the provider owes us a sale."""
    return (
        ("provider_receivable", captured.amount_minor),
        ("sales", -captured.amount_minor),
    )


def refund_entries(refund: Refund) -> tuple[tuple[str, int], ...]:
    """Of a refund: we owe the provider what it gave back; it keeps it from what it owes us."""
    return (("refunds", refund.amount_minor), ("provider_payable", -refund.amount_minor))


def refunded_status(balance: Balance) -> PaymentStatus:
    """Of a payment that was captured, by what its ledger says."""
    if balance.refunded_minor == 0:
        return S.CAPTURED
    return S.REFUNDED if balance.refunded_minor == balance.captured_minor else S.PARTIALLY_REFUNDED


def capture(payment: Payment) -> bool:
    """Whether a capture has to be asked for; False if it was taken already.

    Raises IllegalTransition if there is no money held to take.
    """
    if payment.status in TAKEN and not payment.void_requested:
        return False
    if payment.status is not S.AUTHORIZED or payment.void_requested:
        raise IllegalTransition(f"payment {payment.id} is {payment.status}, nothing to capture")
    return True


def check_cancellable(payment: Payment, *, capture_asked: bool) -> None:
    """Raises IllegalTransition if the order was confirmed: its money goes back by a return."""
    if capture_asked:
        raise IllegalTransition(f"payment {payment.id} is captured and can only be refunded")


def check_refund(balance: Balance, pending_minor: int, amount_minor: int) -> None:
    """pending_minor: of refunds asked for and not yet made.

    Raises NotRefundable, RefundTooLarge.
    """
    if balance.captured_minor == 0:
        raise NotRefundable("nothing was captured")
    left = balance.captured_minor - balance.refunded_minor - pending_minor
    if amount_minor > left:
        raise RefundTooLarge(f"{left} can be refunded", refundable_minor=left)


def due_for_return(captured_minor: int, others_minor: int, amount_minor: int) -> int:
    """What a return of *amount_minor* gets: all, or what other refunds leave, perhaps nothing.

    others_minor: of earlier refunds, made or asked for. Raises IllegalTransition if so much was
    never taken: no order sold that.
    """
    if amount_minor > captured_minor:
        raise IllegalTransition(f"{amount_minor} cannot come back of {captured_minor} captured")
    return max(0, min(amount_minor, captured_minor - others_minor))


def named(pending: Sequence[Refund], told: RefundFact) -> Refund | None:
    """Which of our *pending* refunds the provider means, if it is one of ours.

    By its name; one that has none there is taken for ours if the sum is.
    """
    for refund in pending:
        if is_named(refund, told):
            return refund
    nameless = told.reference is None
    return next((r for r in pending if nameless and r.amount_minor == told.amount_minor), None)


def is_named(refund: Refund, told: RefundFact) -> bool:
    """Whether the provider calls it by a name that we gave it."""
    return told.reference is not None and told.reference in {refund.id, refund.return_id}
