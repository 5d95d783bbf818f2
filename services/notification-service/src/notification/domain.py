"""Messages to customers: which there are, and what becomes of one that is refused.

No I/O, no clock, no framework.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from common.money import Money

# The right-hand side of our Message-IDs (RFC 5322 §3.6.4).
MAIL_DOMAIN = "cartwright.example"
# What browsers take in <input type=email> (HTML Living Standard); it holds no header, no list.
_ADDRESS = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@"
    r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)
ADDRESS_CHARS_MAX = 254  # RFC 5321 §4.5.3.1.3, less the angle brackets

# A "no" for good (5yz, RFC 5321 §4.2.1) is asked again a few times: servers say it by mistake too.
REFUSALS_MAX = 5
# "Not now" (4yz) is believed for longer: with the pauses below, more than an hour.
DEFERRALS_MAX = 20
PERMANENT_CODE_MIN = 500
# The pause doubles with every answer, up to five minutes.
RETRY_S = 1.0
RETRY_S_MAX = 300.0
# A server that gave no answer is not asked again about the same mail at once: it may be the
# mail that breaks it, and others wait behind it.
UNANSWERED_PAUSE_S = 5.0

CANCELLATION_SENTENCES = {
    "out_of_stock": "Something you ordered was just sold out.",
    "payment_declined": "Your payment was declined.",
    "customer_cancelled": "You asked us to cancel it.",
    "deadline_exceeded": "We could not complete it in time.",
}
# Another service may learn new reasons before this one does.
OTHER_CANCELLATION_SENTENCE = "We could not complete it."


class Kind(StrEnum):
    ORDER_CONFIRMATION = "order_confirmation"
    ORDER_CANCELLATION = "order_cancellation"


class State(StrEnum):
    QUEUED = "queued"
    SENT = "sent"  # the mail server took it
    FAILED = "failed"  # nobody will try again


@dataclass(frozen=True, slots=True)
class BoughtLine:
    name: str
    quantity: int
    unit_price: Money

    @property
    def total(self) -> Money:
        return self.unit_price.times(self.quantity)


@dataclass(frozen=True, slots=True)
class ConfirmedOrder:
    id: str
    email: str
    total: Money
    lines: tuple[BoughtLine, ...]


@dataclass(frozen=True, slots=True)
class CancelledOrder:
    id: str
    email: str
    total: Money
    reason: str


@dataclass(frozen=True, slots=True)
class Message:
    """One mail, rendered. attempts: how often the mail server gave an answer about it."""

    id: str
    order_id: str
    kind: Kind
    recipient: str
    subject: str
    text: str
    html: str
    created_at: datetime
    state: State = State.QUEUED
    attempts: int = 0
    last_error: str | None = None
    traceparent: str | None = None
    sent_at: datetime | None = None

    @property
    def message_id(self) -> str:
        """The same at every attempt, so that whoever receives it twice can tell."""
        return f"<{self.order_id}.{self.kind}@{MAIL_DOMAIN}>"


@dataclass(frozen=True, slots=True)
class Sent:
    """traceparent: of the span in which it was sent."""

    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """code: the server's reply code (RFC 5321 §4.2)."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The server is down, or was lost on the way: the mail may have arrived or not."""

    reason: str


Outcome = Sent | Refused | Unanswered


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a message that was not sent."""

    state: State
    attempts: int
    last_error: str
    next_attempt_at: datetime


def is_address(text: str) -> bool:
    return len(text) <= ADDRESS_CHARS_MAX and _ADDRESS.fullmatch(text) is not None


def cancellation_sentence(reason: str) -> str:
    return CANCELLATION_SENTENCES.get(reason, OTHER_CANCELLATION_SENTENCE)


def retry_after(attempts: int) -> timedelta:
    """attempts: 1 or more."""
    return timedelta(seconds=min(RETRY_S * 2 ** (attempts - 1), RETRY_S_MAX))


def judge(message: Message, outcome: Refused | Unanswered, now: datetime) -> Verdict:
    """Only answers count: a server that is down for a day makes no message fail."""
    if isinstance(outcome, Unanswered):
        pause = timedelta(seconds=UNANSWERED_PAUSE_S)
        return Verdict(State.QUEUED, message.attempts, outcome.reason, now + pause)
    attempts = message.attempts + 1
    limit = REFUSALS_MAX if outcome.code >= PERMANENT_CODE_MIN else DEFERRALS_MAX
    state = State.FAILED if attempts >= limit else State.QUEUED
    error = f"{outcome.code} {outcome.reason}"
    return Verdict(state, attempts, error, now + retry_after(attempts))
