"""What payments, refunds, operations and facts are, and how they are refused. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from common.errors import Conflict, IllegalTransition, NotFound

# What stands for amounts nobody named: a payment that was cancelled before it was asked for.
TOMBSTONE_CURRENCY = "USD"
TOMBSTONE_METHOD = "none"

# Why a refund was made that nobody asked us for.
CANCELLED = "order_cancelled"
MADE_AT_PROVIDER = "made_at_provider"
RETURNED = "returned"


class PaymentStatus(StrEnum):
    """The card schemes' words."""

    INITIATED = "initiated"  # the provider was not asked yet, or has not answered yet
    UNKNOWN = "unknown"  # it was asked, and nobody knows whether it acted
    ACTION_REQUIRED = "action_required"  # the shopper has to prove who they are (3-D Secure)
    AUTHORIZED = "authorized"  # the money is held
    DECLINED = "declined"
    CAPTURED = "captured"  # the money is ours
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"  # all of it went back
    VOIDED = "voided"  # the hold is let go, or was never made


class OperationKind(StrEnum):
    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class PaymentNotFound(NotFound):
    title = "There is no payment for this order"


class NotRefundable(Conflict):
    title = "There is no money to give back"


class RefundTooLarge(Conflict):
    title = "The refund is larger than what is left of the payment"


class UnknownCharge(IllegalTransition):
    """The provider tells of a payment that no order of ours has."""


class AnotherPayment(IllegalTransition):
    """The provider has a second payment for an order that has one."""


class AmountsDiffer(IllegalTransition):
    """The provider holds, took or gave back another sum than we know of."""


class StatusDiffers(IllegalTransition):
    """The provider says what cannot follow from what it said before."""


@dataclass(frozen=True, slots=True)
class Action:
    """Where the shopper has to go, and until when that helps."""

    url: str
    expires_at: datetime | None = None


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
    customer_id: str | None = None
    action: Action | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back, or back. return_id: the return that it is for, if it is for one."""

    id: str
    payment_id: str
    amount_minor: int
    reason: str
    return_id: str | None = None
    succeeded: bool = False
    provider_refund_id: str | None = None

    @property
    def reference(self) -> str:
        """What the provider calls it by."""
        return self.return_id or self.id


@dataclass(frozen=True, slots=True)
class Operation:
    """Something to ask of the provider. Its id is the idempotency key, for all attempts.

    resendable: whether the provider still remembers the key, so that sending it again is safe.
    """

    id: str
    payment: Payment
    kind: OperationKind
    attempts: int
    traceparent: str | None
    refund: Refund | None = None
    resendable: bool = True


@dataclass(frozen=True, slots=True)
class RefundFact:
    """One refund in the provider's book. reference: what we called it; None if it is not ours."""

    id: str
    amount_minor: int
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """A payment as the provider has it in its book, from an answer, a webhook or a comparison.

    provider_payment_id: None if it refused before it made a payment of it. What is None was not
    said. refund: the one that this fact is about.
    """

    provider_payment_id: str | None
    status: PaymentStatus
    decline_code: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    captured_minor: int | None = None
    refunded_minor: int | None = None
    reference: str | None = None
    action: Action | None = None
    refund: RefundFact | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """Sums of the ledger, of one payment."""

    captured_minor: int
    refunded_minor: int
