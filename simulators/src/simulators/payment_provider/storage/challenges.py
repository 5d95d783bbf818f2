"""3-D Secure challenges: who may look at one, and what their decision does. Knows no HTML.

The key in the address is all that lets somebody in, and it works once: a decision ends it.
"""

import hmac
import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from simulators.payment_provider import clock
from simulators.payment_provider.rules import payments
from simulators.payment_provider.rules.payments import AUTHENTICATION_FAILED, Payment, Status
from simulators.payment_provider.rules.refusals import (
    BankUnreachable,
    ChallengeClosed,
    ChallengeExpired,
    ChallengeNotFound,
)
from simulators.payment_provider.storage import book, facts
from simulators.payment_provider.storage.book import Challenge
from simulators.payment_provider.storage.facts import Asked

# Compared with when there is no such challenge, so that the answer takes as long.
NO_KEY = "no challenge has this key"


class Decision(StrEnum):
    APPROVE = "approve"
    FAIL = "fail"


@dataclass(frozen=True)
class Case:
    """A challenge and the payment that waits, or waited, for it."""

    challenge: Challenge
    payment: Payment


def find(tx: sqlite3.Connection, payment_id: str) -> Case:
    """For those who need no key. Raises ChallengeNotFound."""
    challenge = book.find_challenge(tx, payment_id)
    payment = book.find_payment(tx, payment_id)
    if challenge is None or payment is None:
        raise ChallengeNotFound(payment_id=payment_id)
    return Case(challenge, payment)


def let_in(tx: sqlite3.Connection, payment_id: str, key: str) -> Case:
    """The challenge, for whoever knows its key. Raises ChallengeNotFound for a wrong one too."""
    challenge = book.find_challenge(tx, payment_id)
    expected = NO_KEY if challenge is None else challenge.key
    if not hmac.compare_digest(key.encode(), expected.encode()) or challenge is None:
        raise ChallengeNotFound(payment_id=payment_id)
    return find(tx, payment_id)


def require_open(tx: sqlite3.Connection, case: Case, at_ms: int) -> None:
    """Raises ChallengeClosed, ChallengeExpired or BankUnreachable if it cannot be decided."""
    payment = case.payment
    if payment.status is not Status.REQUIRES_ACTION:
        raise ChallengeClosed(payment_id=payment.id, payment_status=payment.status.value)
    if at_ms >= clock.in_ms(case.challenge.expires_at):
        raise ChallengeExpired(payment_id=payment.id, expires_at=case.challenge.expires_at)
    if facts.behaviour_of(tx, payment.charge.payment_method).bank_is_unreachable:
        raise BankUnreachable(payment_id=payment.id)


def decide(tx: sqlite3.Connection, asked: Asked, case: Case, decision: Decision) -> Payment:
    """Authorized or declined. Raises what `require_open` raises."""
    require_open(tx, case, asked.at_ms)
    decline_code: str | None = AUTHENTICATION_FAILED
    if decision is Decision.APPROVE:
        method = case.payment.charge.payment_method
        decline_code = facts.behaviour_of(tx, method).decline_code
    return facts.change(tx, asked, payments.authenticated(case.payment, decline_code=decline_code))
