"""What a payment is and what may happen to it. Pure: no I/O, no clock, no randomness.

    requires_action -> authorized | declined | voided
    authorized      -> captured | voided
    captured        -> partially_refunded -> refunded        declined, voided (never leave)

Nothing here knows HTTP, SQLite or which token causes which behaviour.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from simulators.payment_provider.rules.refusals import (
    AmountOutOfRange,
    AmountTooLarge,
    ChallengeClosed,
    IllegalTransition,
    RefundTooLarge,
    UnsupportedCurrency,
)

# ISO 4217 "minor unit": how many decimals the currency has. Nothing else is taken.
CURRENCY_DECIMALS = {
    "AUD": 2, "CAD": 2, "CHF": 2, "CZK": 2, "DKK": 2, "EUR": 2, "GBP": 2, "HUF": 2,
    "JPY": 0, "KRW": 0, "KWD": 3, "NOK": 2, "NZD": 2, "PLN": 2, "SEK": 2, "USD": 2,
}  # fmt: skip

# Eight digits, the largest amount Stripe takes for most currencies.
AMOUNT_MINOR_MAX = 99_999_999

# What a payment is declined with whose shopper failed, or refused, to prove who they are.
AUTHENTICATION_FAILED = "authentication_failed"


class Status(StrEnum):
    REQUIRES_ACTION = "requires_action"  # the shopper has to prove at their bank who they are
    AUTHORIZED = "authorized"
    DECLINED = "declined"
    CAPTURED = "captured"
    VOIDED = "voided"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


REFUNDABLE = frozenset({Status.CAPTURED, Status.PARTIALLY_REFUNDED})
VOIDABLE = frozenset({Status.REQUIRES_ACTION, Status.AUTHORIZED})


@dataclass(frozen=True)
class Charge:
    """What the merchant asks for."""

    amount_minor: int
    currency: str  # ISO 4217 alphabetic code
    payment_method: str
    reference: str  # the merchant's own name for it: the order's id


@dataclass(frozen=True)
class NextAction:
    """Where the shopper has to go, and until when that helps."""

    url: str
    expires_at: str  # RFC 3339, UTC


@dataclass(frozen=True)
class Payment:
    """One authorization and what became of it. Captured and voided add up to it at the end."""

    id: str
    charge: Charge
    status: Status
    decline_code: str | None = None
    authorized_minor: int = 0  # what was ever held on the card
    captured_minor: int = 0
    voided_minor: int = 0
    refunded_minor: int = 0
    created_at: str = ""  # RFC 3339, UTC
    updated_at: str = ""
    next_action: NextAction | None = None

    @property
    def refundable_minor(self) -> int:
        return self.captured_minor - self.refunded_minor


def authorize(id: str, charge: Charge, *, decline_code: str | None) -> Payment:
    """A new payment: declined when there is a `decline_code`, authorized otherwise.

    Raises UnsupportedCurrency, and AmountOutOfRange outside 1..AMOUNT_MINOR_MAX.
    """
    _check(charge)
    return _answered(Payment(id, charge, Status.REQUIRES_ACTION), decline_code)


def challenge(id: str, charge: Charge, next_action: NextAction) -> Payment:
    """A new payment that waits for its shopper. Raises what `authorize` raises."""
    _check(charge)
    return Payment(id, charge, Status.REQUIRES_ACTION, next_action=next_action)


def authenticated(payment: Payment, *, decline_code: str | None) -> Payment:
    """After the shopper answered the challenge: authorized, or declined with a `decline_code`.

    Raises ChallengeClosed unless the payment still waits for them.
    """
    if payment.status is not Status.REQUIRES_ACTION:
        raise ChallengeClosed(payment_id=payment.id, payment_status=payment.status.value)
    return _answered(payment, decline_code)


def capture(payment: Payment, amount_minor: int) -> Payment:
    """Take `amount_minor` of the authorization; what is left of it is released.

    Raises IllegalTransition unless authorized, so that money is captured once;
    AmountTooLarge above the authorization; AmountOutOfRange below 1.
    """
    _require(payment, frozenset({Status.AUTHORIZED}))
    if amount_minor < 1:
        raise AmountOutOfRange(minimum_minor=1, maximum_minor=payment.authorized_minor)
    if amount_minor > payment.authorized_minor:
        raise AmountTooLarge(authorized_minor=payment.authorized_minor)
    return replace(
        payment,
        status=Status.CAPTURED,
        captured_minor=amount_minor,
        voided_minor=payment.authorized_minor - amount_minor,
    )


def void(payment: Payment) -> Payment:
    """Release the whole authorization, or call off its challenge.

    Raises IllegalTransition unless authorized or requires_action.
    """
    _require(payment, VOIDABLE)
    return replace(payment, status=Status.VOIDED, voided_minor=payment.authorized_minor)


def refund(payment: Payment, amount_minor: int) -> Payment:
    """Give back `amount_minor` of what was captured.

    Raises IllegalTransition when nothing is left to give back; RefundTooLarge above what is
    left; AmountOutOfRange below 1.
    """
    _require(payment, REFUNDABLE)
    if amount_minor < 1:
        raise AmountOutOfRange(minimum_minor=1, maximum_minor=payment.refundable_minor)
    if amount_minor > payment.refundable_minor:
        raise RefundTooLarge(refundable_minor=payment.refundable_minor)
    is_last = amount_minor == payment.refundable_minor
    return replace(
        payment,
        status=Status.REFUNDED if is_last else Status.PARTIALLY_REFUNDED,
        refunded_minor=payment.refunded_minor + amount_minor,
    )


def _answered(payment: Payment, decline_code: str | None) -> Payment:
    if decline_code is not None:
        return replace(payment, status=Status.DECLINED, decline_code=decline_code)
    held = payment.charge.amount_minor
    return replace(payment, status=Status.AUTHORIZED, authorized_minor=held)


def _check(charge: Charge) -> None:
    if charge.currency not in CURRENCY_DECIMALS:
        raise UnsupportedCurrency(currency=charge.currency)
    if not 1 <= charge.amount_minor <= AMOUNT_MINOR_MAX:
        raise AmountOutOfRange(minimum_minor=1, maximum_minor=AMOUNT_MINOR_MAX)


def _require(payment: Payment, allowed: frozenset[Status]) -> None:
    if payment.status not in allowed:
        raise IllegalTransition(payment_id=payment.id, payment_status=payment.status.value)
