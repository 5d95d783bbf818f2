"""What the provider says, as facts: of its payments, refunds, refusals and webhooks. No I/O."""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from payment.domain import Action, Fact, OperationKind, PaymentStatus, RefundFact

# Said before anything was done about a payment that will never be possible (docs/simulators.md):
# the shopper named a card that does not exist, or an amount no card takes. So it is a decline.
UNKNOWN_PAYMENT_METHOD = "unknown-payment-method"
DECLINING_PROBLEMS = frozenset(
    {UNKNOWN_PAYMENT_METHOD, "amount-out-of-range", "unsupported-currency"}
)
# What the card world calls it; a provider may say it without a problem type.
RESOURCE_MISSING = "resource_missing"
# 408 and 429 (RFC 9110 §15.5.9, RFC 6585 §4) ask for patience, as every 5xx does.
PATIENCE = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS})
# Longer than any page needs; browsers take no more either.
URL_CHARS_MAX = 2_000

STATUSES = {
    "requires_action": PaymentStatus.ACTION_REQUIRED,
    "authorized": PaymentStatus.AUTHORIZED,
    "declined": PaymentStatus.DECLINED,
    "captured": PaymentStatus.CAPTURED,
    "partially_refunded": PaymentStatus.PARTIALLY_REFUNDED,
    "refunded": PaymentStatus.REFUNDED,
    "voided": PaymentStatus.VOIDED,
}

ID_PATTERN = "^[A-Za-z0-9_-]{1,64}$"
REFERENCE_PATTERN = "^[!-~]{1,64}$"


class OutcomeUnknown(Exception):
    """No answer, or none that says yes or no. Ask again with the same key."""


class NotAsked(OutcomeUnknown):
    """The provider is left alone for a moment, so this question did not leave here."""


class RefusedByProvider(Exception):
    """The provider says that the question itself is wrong. A person has to look.

    is_conflict: it says so because of a state that is another than the question assumes.
    """

    def __init__(self, words: str, *, is_conflict: bool = False) -> None:
        super().__init__(words)
        self.is_conflict = is_conflict


class Unreadable(Exception):
    """What the provider says makes no sense, or leads the shopper where we know nobody.

    about: its id of the payment, as far as that could be read.
    """

    def __init__(self, words: str, about: str | None = None) -> None:
        super().__init__(words)
        self.about = about


class _Read(BaseModel):
    """As far as we read it: what may be part of a path, and be stored."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class _NextAction(_Read):
    url: str = Field(pattern="^https?://[!-~]+$", max_length=URL_CHARS_MAX)
    expires_at: AwareDatetime | None = None


class _Payment(_Read):
    id: str = Field(pattern=ID_PATTERN)
    status: str = Field(pattern=f"^({'|'.join(STATUSES)})$")
    decline_code: str | None = Field(default=None, pattern="^[A-Za-z0-9_.-]{1,64}$")
    reference: str | None = Field(default=None, pattern=REFERENCE_PATTERN)
    amount_minor: int | None = None
    currency: str | None = Field(default=None, pattern="^[A-Z]{3}$")
    captured_minor: int | None = None
    refunded_minor: int | None = None
    next_action: _NextAction | None = None
    updated_at: AwareDatetime | None = None


class _Refund(_Read):
    id: str = Field(pattern=ID_PATTERN)
    amount_minor: int = Field(gt=0)
    reference: str | None = Field(default=None, pattern=REFERENCE_PATTERN)
    status: str = "succeeded"


class _RefundAnswer(_Refund):
    payment: _Payment


class _Subject(_Read):
    payment: _Payment
    refund: _Refund | None = None


class _Webhook(_Read):
    data: _Subject


class StoredAnswer(_Read):
    """What was answered under an idempotency key."""

    status_code: int
    body: dict[str, Any]


class _Payments(_Read):
    payments: list[dict[str, Any]]
    next_cursor: str | None = Field(default=None, max_length=1024)


class _Refunds(_Read):
    refunds: list[_Refund]


class _Fault(BaseModel):
    pointer: str = ""


class _Problem(BaseModel):
    """RFC 9457; a gateway between us may answer something else."""

    type: str = Field(default="about:blank", pattern="^[!-~]{1,200}$")
    code: str = ""
    errors: list[_Fault] = []

    @property
    def name(self) -> str:
        """Of the problem; the form of a payment method is the shopper's matter, not ours."""
        name = self.type.rpartition(":")[2]
        malformed_method = name == "malformed" and [fault.pointer for fault in self.errors] == [
            "/payment_method"
        ]
        missing = self.code == RESOURCE_MISSING
        return UNKNOWN_PAYMENT_METHOD if malformed_method or missing else name


@dataclass(frozen=True, slots=True)
class Page:
    """Of the provider's payments; until: when the latest of them changed."""

    facts: list[Fact | Unreadable]
    next_cursor: str | None
    until: datetime | None


class Reader:
    """Makes facts of what the provider says.

    hosts: where a shopper may be sent; is_secure: whether only by https.
    """

    def __init__(self, hosts: Collection[str], *, is_secure: bool) -> None:
        self._hosts = frozenset(hosts)
        self._schemes = {"https"} if is_secure else {"https", "http"}

    def answer(self, kind: OperationKind, status: int, content: bytes) -> Fact:
        """The fact in an answer to *kind*. Raises OutcomeUnknown, RefusedByProvider."""
        if httpx.codes.is_client_error(status) and status not in PATIENCE:
            return _declined(kind, status, content)
        if not httpx.codes.is_success(status):
            raise OutcomeUnknown(f"the provider answered {status}")
        try:
            if kind is not OperationKind.REFUND:
                return self.payment(content)
            answer = _RefundAnswer.model_validate_json(content)
            refund = _made(answer)
            if refund is None:
                raise OutcomeUnknown("the provider has not made the refund")
            return replace(self._fact(answer.payment), refund=refund)
        except (ValidationError, Unreadable) as error:
            raise OutcomeUnknown(_words(error)) from error

    def payment(self, content: bytes) -> Fact:
        """Raises ValidationError, Unreadable."""
        return self._fact(_Payment.model_validate_json(content))

    def payments(self, content: bytes) -> Page:
        """Raises Unreadable if it is no page at all; one payment that is none spoils no other."""
        try:
            page = _Payments.model_validate_json(content)
        except ValidationError as error:
            raise Unreadable(_words(error)) from error
        read = [self._one_of(payment) for payment in page.payments]
        moments = [moment for _, moment in read if moment]
        return Page([fact for fact, _ in read], page.next_cursor, max(moments, default=None))

    def _one_of(self, raw: dict[str, Any]) -> tuple[Fact | Unreadable, datetime | None]:
        try:
            payment = _Payment.model_validate_json(json.dumps(raw))
        except ValidationError as error:
            return Unreadable(_words(error)), None
        try:
            return self._fact(payment), payment.updated_at
        except Unreadable as error:
            return error, payment.updated_at

    def webhook(self, body: str) -> Fact:
        """The fact that a webhook tells. Raises Unreadable."""
        try:
            subject = _Webhook.model_validate_json(body).data
        except ValidationError as error:
            raise Unreadable(_words(error)) from error
        fact = self._fact(subject.payment)
        return replace(fact, refund=_made(subject.refund)) if subject.refund else fact

    def _fact(self, payment: _Payment) -> Fact:
        return Fact(
            provider_payment_id=payment.id,
            status=STATUSES[payment.status],
            decline_code=payment.decline_code,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            captured_minor=payment.captured_minor,
            refunded_minor=payment.refunded_minor,
            reference=payment.reference,
            action=self._action(payment),
        )

    def _action(self, payment: _Payment) -> Action | None:
        """Where the shopper has to go. Raises Unreadable rather than lead them to a stranger."""
        if payment.status != "requires_action":
            return None
        if payment.next_action is None:
            raise Unreadable("an action is required, and no address was given", payment.id)
        try:
            parts = urlsplit(payment.next_action.url)
            host = parts.hostname
        except ValueError as error:
            raise Unreadable("the action's address is none", payment.id) from error
        named = "@" in parts.netloc or "\\" in payment.next_action.url
        if named or parts.scheme not in self._schemes or host not in self._hosts:
            raise Unreadable("the action's address is not the provider's", payment.id)
        return Action(payment.next_action.url, payment.next_action.expires_at)


def refunds(content: bytes) -> list[RefundFact]:
    """Raises Unreadable."""
    try:
        found = _Refunds.model_validate_json(content).refunds
    except ValidationError as error:
        raise Unreadable(_words(error)) from error
    return [made for refund in found if (made := _made(refund))]


def _made(refund: _Refund) -> RefundFact | None:
    """None of one that is under way, or failed: no money has moved."""
    if refund.status != "succeeded":
        return None
    return RefundFact(refund.id, refund.amount_minor, refund.reference)


def _declined(kind: OperationKind, status: int, content: bytes) -> Fact:
    """What a refused authorization means, if it means something. Raises RefusedByProvider."""
    try:
        problem = _Problem.model_validate_json(content)
    except ValidationError:
        problem = _Problem()
    if kind is OperationKind.AUTHORIZE and problem.name in DECLINING_PROBLEMS:
        return Fact(None, PaymentStatus.DECLINED, problem.name.replace("-", "_"))
    raise RefusedByProvider(
        f"the provider answered {status} {problem.type}",
        is_conflict=status == httpx.codes.CONFLICT,
    )


def _words(error: Exception) -> str:
    """What is wrong, without the values that were."""
    if not isinstance(error, ValidationError):
        return str(error)
    places = {"/".join(map(str, fault["loc"])) or "body" for fault in error.errors()}
    return f"the provider's answer makes no sense: {', '.join(sorted(places))}"[:500]
