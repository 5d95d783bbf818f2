"""What a mail server may answer, and what becomes of a message then."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from notification.domain.messages import Message, Reason, State

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

# "No such mailbox", "not here", "no such name" (RFC 5321 §4.2.3). A full mailbox (552) and
# whatever the server has against the mail (554) are no fault of the address.
_ADDRESS_CODES = frozenset({550, 551, 553})
# 550 is said for policy too. Where the server gives an enhanced code (RFC 3463), it has to be of
# class X.1, addressing, or X.2.1, a mailbox that is disabled.
_ENHANCED = re.compile(r"\d\.\d{1,3}\.\d{1,3}\b")
_ADDRESS_ENHANCED = re.compile(r"5\.(1\.\d{1,3}|2\.1)\b")
# What of an error may be told to everybody: codes, and the names of our exceptions. The words of
# a server are its own, and often hold the address.
_PUBLIC = re.compile(r"\d{3}(?: \d\.\d{1,3}\.\d{1,3}\b)?|[A-Za-z]+\Z")


@dataclass(frozen=True, slots=True)
class Sent:
    """traceparent: of the span in which it was sent."""

    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """code: the server's reply code (RFC 5321 §4.2). at_recipient: in answer to RCPT."""

    code: int
    reason: str
    at_recipient: bool = False


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The server is down, or was lost on the way.

    may_have_arrived: it had the whole mail, and did not say what it did with it.
    """

    reason: str
    may_have_arrived: bool = False


Outcome = Sent | Refused | Unanswered


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a message that was not sent. suppresses: its address, too."""

    state: State
    reason: Reason | None
    attempts: int
    refusals: int
    last_error: str
    next_attempt_at: datetime
    suppresses: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many messages are queued, and since when the oldest; None when there is none."""

    count: int
    oldest_at: datetime | None


def retry_after(attempts: int) -> timedelta:
    """attempts: 1 or more."""
    return timedelta(seconds=min(RETRY_S * 2 ** (attempts - 1), RETRY_S_MAX))


def judge(message: Message, outcome: Refused | Unanswered, now: datetime) -> Verdict:
    """What a server did not get does not count: one that is down for a day makes no message fail.
    What it may have got does, else a slow one would have the customer read the same for ever.
    """
    if isinstance(outcome, Unanswered) and not outcome.may_have_arrived:
        later = now + timedelta(seconds=UNANSWERED_PAUSE_S)
        return Verdict(
            State.QUEUED, None, message.attempts, message.refusals, outcome.reason, later
        )
    attempts = message.attempts + 1
    is_permanent = isinstance(outcome, Refused) and outcome.code >= PERMANENT_CODE_MIN
    refusals = message.refusals + is_permanent
    reason = _reason(refusals, attempts)
    return Verdict(
        State.FAILED if reason else State.QUEUED,
        reason,
        attempts,
        refusals,
        f"{outcome.code} {outcome.reason}" if isinstance(outcome, Refused) else outcome.reason,
        now + retry_after(attempts),
        suppresses=reason is Reason.REFUSED and is_address_at_fault(outcome),
    )


def _reason(refusals: int, attempts: int) -> Reason | None:
    if refusals >= REFUSALS_MAX:
        return Reason.REFUSED
    return Reason.DEFERRED if attempts >= DEFERRALS_MAX else None


def is_address_at_fault(outcome: Refused | Unanswered) -> bool:
    """Whether nothing sent to this address would arrive, whatever it says."""
    if isinstance(outcome, Unanswered):
        return False
    enhanced = _ENHANCED.match(outcome.reason)
    return (
        outcome.at_recipient
        and outcome.code in _ADDRESS_CODES
        and (enhanced is None or _ADDRESS_ENHANCED.match(outcome.reason) is not None)
    )


def in_public(outcome: Refused | Unanswered) -> str:
    """For logs and spans: what kind it is, and nobody's address."""
    code = f"{outcome.code} " if isinstance(outcome, Refused) else ""
    told = _PUBLIC.match(code + outcome.reason)
    return told.group() if told else type(outcome).__name__
