"""A message: one mail about one fact, from its queueing to its end."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from common.errors import Conflict, NotFound

from notification.domain.preferences import DEFAULT_LANGUAGE, Language

# The right-hand side of our Message-IDs (RFC 5322 §3.6.4).
MAIL_DOMAIN = "cartwright.example"


class Kind(StrEnum):
    WELCOME = "welcome"
    ORDER_CONFIRMATION = "order_confirmation"
    ORDER_CANCELLATION = "order_cancellation"
    ACTION_REQUIRED = "action_required"
    REFUND = "refund"


class State(StrEnum):
    QUEUED = "queued"
    SENT = "sent"  # the mail server took it
    FAILED = "failed"  # given up; staff may resend it
    SUPPRESSED = "suppressed"  # not tried, for a reason


class Reason(StrEnum):
    """Why a message failed or was suppressed."""

    REFUSED = "refused"  # the mail server said no for good
    DEFERRED = "deferred"  # it said "not now" too often
    NOT_AN_ADDRESS = "not_an_address"
    ADDRESS_SUPPRESSED = "address_suppressed"  # refused for good before
    PREFERENCE = "preference"  # the customer wants none of these
    OVERTAKEN = "overtaken"  # what it asks for has been decided


# No second attempt can mend these.
_FINAL = frozenset({Reason.NOT_AN_ADDRESS, Reason.OVERTAKEN})


class MessageNotFound(NotFound):
    title = "There is no such message"


class NothingWritten(NotFound):
    """Also for somebody else's order, and for one that is not: the answer does not tell which."""

    title = "Nothing was written to you about such an order"


class NotResendable(Conflict):
    title = "This message cannot be sent again"


class AddressSuppressed(Conflict):
    title = "Mail to this address is suppressed"


class SuppressionNotFound(NotFound):
    title = "There is no such suppression"


@dataclass(frozen=True, slots=True)
class Message:
    """One mail, rendered.

    fact: what it is about; unique with its kind. text, html: None once they are forgotten.
    attempts: how often the mail server gave an answer about it; refusals: how often a no for good.
    resends: how often staff had it sent again.
    """

    id: str
    kind: Kind
    fact: str
    recipient: str
    subject: str
    text: str | None
    html: str | None
    created_at: datetime
    language: Language = DEFAULT_LANGUAGE
    order_id: str | None = None
    customer_id: str | None = None
    state: State = State.QUEUED
    reason: Reason | None = None
    attempts: int = 0
    refusals: int = 0
    resends: int = 0
    last_error: str | None = None
    traceparent: str | None = None
    first_sent_at: datetime | None = None
    sent_at: datetime | None = None

    @property
    def message_id(self) -> str:
        """The same at every attempt and resend, so that whoever has it already can tell."""
        return f"<{self.fact}.{self.kind}@{MAIL_DOMAIN}>"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed by; None for everything. recipient: in any case of letters."""

    state: State | None = None
    kind: Kind | None = None
    recipient: str | None = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that mail servers have refused for good. message_id: our id of the mail."""

    id: str
    address: str
    error: str
    message_id: str
    created_at: datetime


def check_resendable(message: Message) -> None:
    """Raises NotResendable."""
    if message.state is State.QUEUED:
        raise NotResendable("it is about to be sent", state=message.state)
    if message.reason in _FINAL:
        raise NotResendable("no attempt could succeed", state=message.state, reason=message.reason)
    if message.text is None:
        raise NotResendable("its text is no longer kept", state=message.state)


def address_key(address: str) -> str:
    """By what an address is suppressed. Servers could tell Ada@ from ada@ (RFC 5321 §2.4), and
    none that is in use does."""
    return address.lower()
