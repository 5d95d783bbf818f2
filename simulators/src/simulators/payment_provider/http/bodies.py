"""What the shop may send: shapes only, held at the edge by pydantic. Decides nothing."""

from typing import Annotated, Literal

from card_numbers import passes_luhn
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

# Printable without spaces, long enough for a UUID with a prefix.
REFERENCE_PATTERN = r"^[!-~]{1,64}$"
# Every integer JSON carries unharmed (RFC 8259 §6); what the provider moves is `payments`' matter.
INTEGER_MAX = 2**53 - 1
# As long as browsers are known to take.
RETURN_URL_MAX = 2_000
TOKEN_PATTERN = r"^pm_[a-z0-9_]{1,64}$"  # noqa: S105 - the shape of a token, not one


def _digits(number: SecretStr) -> SecretStr:
    """People type cards in groups of four; ISO/IEC 7812 says 8 to 19 digits and a Luhn check."""
    digits = number.get_secret_value().replace(" ", "")
    if not (digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 19):
        raise ValueError("a card number has 8 to 19 digits")
    if not passes_luhn(digits):
        raise ValueError("the card number has a typing mistake")
    return SecretStr(digits)


AmountMinor = Annotated[int, Field(ge=-INTEGER_MAX, le=INTEGER_MAX)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PaymentBody(Body):
    amount_minor: AmountMinor
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    payment_method: str = Field(pattern=TOKEN_PATTERN)
    reference: str = Field(pattern=REFERENCE_PATTERN)
    return_url: str | None = Field(default=None, max_length=RETURN_URL_MAX)


class CaptureBody(Body):
    amount_minor: AmountMinor


class VoidBody(Body):
    """Nothing to say: a void releases everything."""


class RefundBody(Body):
    amount_minor: AmountMinor
    reference: str | None = Field(default=None, pattern=REFERENCE_PATTERN)


class RedeliverBody(Body):
    """Nothing to say: which webhook stands in the address."""


class HoldBody(Body):
    reference: str = Field(pattern=REFERENCE_PATTERN)


class ReleaseBody(Body):
    """In which order the webhooks go that were held back: a rule, or each by its id."""

    order: Literal["oldest_first", "newest_first"] | list[str] = "oldest_first"


class DecisionBody(Body):
    outcome: Literal["approve", "fail"]


class CardBody(Body):
    """Never logged, never stored: `SecretStr` keeps it out of every representation."""

    card_number: Annotated[SecretStr, AfterValidator(_digits)]
    exp_month: int = Field(ge=1, le=12)
    exp_year: int = Field(ge=2000, le=2099)
    cvc: SecretStr = Field(min_length=3, max_length=4)
