"""What a payment is and what may happen to it. Pure: no I/O, no clock, no randomness.

    authorized -> captured | voided        declined (never leaves)

Nothing here knows HTTP, SQLite or which token causes which behaviour.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from simulators.payment_provider.refusals import (
    AmountOutOfRange,
    AmountTooLarge,
    IllegalTransition,
    UnsupportedCurrency,
)

# ISO 4217 "minor unit": how many decimals the currency has. Nothing else is taken.
CURRENCY_DECIMALS = {
    "AUD": 2, "CAD": 2, "CHF": 2, "CZK": 2, "DKK": 2, "EUR": 2, "GBP": 2, "HUF": 2,
    "JPY": 0, "KRW": 0, "KWD": 3, "NOK": 2, "NZD": 2, "PLN": 2, "SEK": 2, "USD": 2,
}  # fmt: skip

# Eight digits, the largest amount Stripe takes for most currencies.
AMOUNT_MINOR_MAX = 99_999_999


class Status(StrEnum):
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    VOIDED = "voided"
    DECLINED = "declined"


@dataclass(frozen=True)
class Charge:
    """What the merchant asks for."""

    amount_minor: int
    currency: str  # ISO 4217 alphabetic code
    payment_method: str
    reference: str  # the merchant's own name for it: the order's id


@dataclass(frozen=True)
class Payment:
    """One authorization and what became of it. Captured and voided add up to it at the end."""

    id: str
    charge: Charge
    status: Status
    decline_code: str | None = None
    captured_minor: int = 0
    voided_minor: int = 0
    created_at: str = ""  # RFC 3339, UTC

    @property
    def authorized_minor(self) -> int:
        """What was ever held on the card: nothing when declined."""
        return 0 if self.status is Status.DECLINED else self.charge.amount_minor


def authorize(id: str, charge: Charge, *, decline_code: str | None, created_at: str) -> Payment:
    """A new payment: declined when there is a `decline_code`, authorized otherwise.

    Raises UnsupportedCurrency, and AmountOutOfRange outside 1..AMOUNT_MINOR_MAX.
    """
    if charge.currency not in CURRENCY_DECIMALS:
        raise UnsupportedCurrency(currency=charge.currency)
    if not 1 <= charge.amount_minor <= AMOUNT_MINOR_MAX:
        raise AmountOutOfRange(minimum_minor=1, maximum_minor=AMOUNT_MINOR_MAX)
    status = Status.DECLINED if decline_code else Status.AUTHORIZED
    return Payment(id, charge, status, decline_code, created_at=created_at)


def capture(payment: Payment, amount_minor: int) -> Payment:
    """Take `amount_minor` of the authorization; what is left of it is released.

    Raises IllegalTransition unless authorized, so that money is captured once;
    AmountTooLarge above the authorization; AmountOutOfRange below 1.
    """
    _require_authorized(payment)
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
    """Release the whole authorization. Raises IllegalTransition unless authorized."""
    _require_authorized(payment)
    return replace(payment, status=Status.VOIDED, voided_minor=payment.authorized_minor)


def _require_authorized(payment: Payment) -> None:
    if payment.status is not Status.AUTHORIZED:
        raise IllegalTransition(payment_id=payment.id, payment_status=payment.status.value)
