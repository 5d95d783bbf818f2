"""Payments: what they are and what may happen to them. No I/O, no clock, no framework."""

from dataclasses import dataclass, replace
from enum import StrEnum

from common.errors import IllegalTransition, NotFound

# What stands for amounts nobody named: a payment that was cancelled before it was asked for.
TOMBSTONE_CURRENCY = "USD"
TOMBSTONE_METHOD = "none"


class PaymentStatus(StrEnum):
    """The card schemes' words. Refunds come with returns."""

    INITIATED = "initiated"  # the provider has not answered yet
    AUTHORIZED = "authorized"  # the money is held
    DECLINED = "declined"
    CAPTURED = "captured"  # the money is ours
    VOIDED = "voided"  # the hold is let go, or was never made


class OperationKind(StrEnum):
    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"


class PaymentNotFound(NotFound):
    title = "There is no payment for this order"


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment an order. Amounts are minor units of an ISO 4217 currency."""

    id: str
    order_id: str
    amount_minor: int
    currency: str
    payment_method: str
    status: PaymentStatus
    void_requested: bool = False
    provider_payment_id: str | None = None
    decline_code: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """Something to ask of the provider. Its id is the idempotency key, for all attempts."""

    id: str
    payment: Payment
    kind: OperationKind
    attempts: int
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Fact:
    """What the provider answered: the payment's status there, and why if it said no.

    provider_payment_id: None if it refused before it made a payment of it.
    """

    provider_payment_id: str | None
    status: PaymentStatus
    decline_code: str | None = None


# What each answer may turn a payment into. The provider is right about money, but an answer
# that fits no question is a bug, and must not pass silently.
ANSWERS: dict[OperationKind, tuple[PaymentStatus, frozenset[PaymentStatus]]] = {
    OperationKind.AUTHORIZE: (
        PaymentStatus.INITIATED,
        frozenset({PaymentStatus.AUTHORIZED, PaymentStatus.DECLINED}),
    ),
    OperationKind.CAPTURE: (PaymentStatus.AUTHORIZED, frozenset({PaymentStatus.CAPTURED})),
    OperationKind.VOID: (PaymentStatus.AUTHORIZED, frozenset({PaymentStatus.VOIDED})),
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


def after(payment: Payment, kind: OperationKind, fact: Fact) -> Payment:
    """*payment* after the provider answered *kind* with *fact*. Raises IllegalTransition."""
    before, allowed = ANSWERS[kind]
    if payment.status is not before or fact.status not in allowed:
        raise IllegalTransition(
            f"payment {payment.id} is {payment.status}; the answer to {kind} is {fact.status}"
        )
    if payment.provider_payment_id not in {None, fact.provider_payment_id}:
        raise IllegalTransition(f"payment {payment.id}: the answer to {kind} is about another")
    return replace(
        payment,
        status=fact.status,
        provider_payment_id=fact.provider_payment_id,
        decline_code=fact.decline_code,
    )


def ledger_entries(captured: Payment) -> tuple[tuple[str, int], ...]:
    """(account, signed minor units) of a capture, summing to zero: the provider owes us a sale."""
    return (
        ("provider_receivable", captured.amount_minor),
        ("sales", -captured.amount_minor),
    )


def capture(payment: Payment) -> bool:
    """Whether a capture has to be asked for; False if it was taken already.

    Raises IllegalTransition if there is no money held to take.
    """
    if payment.status is PaymentStatus.CAPTURED:
        return False
    if payment.status is not PaymentStatus.AUTHORIZED or payment.void_requested:
        raise IllegalTransition(f"payment {payment.id} is {payment.status}, nothing to capture")
    return True


def void(payment: Payment, *, capture_asked: bool) -> bool:
    """Whether a void has to be asked for now.

    False while the authorization is not answered (it follows then), and when nothing is held.
    Raises IllegalTransition if the money was taken, or is being taken: that needs a refund.
    """
    if capture_asked or payment.status is PaymentStatus.CAPTURED:
        raise IllegalTransition(f"payment {payment.id} is captured and can only be refunded")
    return payment.status is PaymentStatus.AUTHORIZED
