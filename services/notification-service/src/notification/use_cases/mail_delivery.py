"""The queue of mails: what is due, what may be tried, and what became of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from common.ids import new_id
from sqlalchemy import Connection

from notification.domain import delivery
from notification.domain.delivery import Outcome, Refused, Sent, Unanswered, Waiting
from notification.domain.messages import (
    Kind,
    Message,
    Reason,
    State,
    Suppression,
    address_key,
)
from notification.store import messages, queue, suppressions
from notification.use_cases import figures

# Small enough that a crash repeats little, large enough that two transactions for it are cheap.
BATCH_SIZE = 20
# A worker begins no mail after this long, so that the slowest one (to connect, five exchanges of
# 2 s each, and 10 s for the last) still ends within the lease, before another worker takes it.
SENDING_BUDGET = timedelta(seconds=2)
# So long the mails of a worker that crashed wait for another.
LEASE = timedelta(seconds=25)
# Bodies tell what somebody bought, and of whom. Goods come back within 30 days, and people ask
# about a mail for a while after that; the order and that there was a mail stay known.
BODIES_KEPT = timedelta(days=90)
# Emptied in one transaction: some ten milliseconds of work.
SWEEP_BATCH = 500

log = structlog.get_logger()


def claim_due(tx: Connection, now: datetime) -> list[Message]:
    """Messages to send now, outside any transaction; theirs who claims them for LEASE."""
    return queue.claim(tx, now=now, until=now + LEASE, limit=BATCH_SIZE)


def hold_back(tx: Connection, claimed: Sequence[Message]) -> list[Message]:
    """Those of *claimed* that may be tried. Publishes notification.failed for the others.

    A message queued before its address was suppressed is held back too; so is the question of a
    bank that was written down while another worker wrote down how the order ended.
    """
    suppressed = suppressions.among(tx, [message.recipient for message in claimed])
    tried = []
    for message in claimed:
        is_question = message.kind is Kind.ACTION_REQUIRED
        if address_key(message.recipient) in suppressed:
            if queue.suppress(tx, message, Reason.ADDRESS_SUPPRESSED):
                figures.tell_failed(tx, message, Reason.ADDRESS_SUPPRESSED)
        elif is_question and messages.is_decided(tx, message.order_id or ""):
            if queue.suppress(tx, message, Reason.OVERTAKEN):
                figures.count_unwanted(message, Reason.OVERTAKEN)
        else:
            tried.append(message)
    return tried


def record_outcomes(
    tx: Connection, claimed: Sequence[Message], outcomes: Mapping[str, Outcome], now: datetime
) -> None:
    """Write down what became of the *claimed*. outcomes: by message id; none if not tried.

    Publishes notification.sent and notification.failed, each in the trace of its mail.
    """
    sent: dict[str, Sent] = {}
    for message in claimed:
        match outcomes.get(message.id):
            case None:
                pass  # Below.
            case Sent() as outcome:
                sent[message.id] = outcome
            case outcome:
                _put_down(tx, message, outcome, now)
    if untried := [message for message in claimed if message.id not in outcomes]:
        queue.give_back(tx, untried, now)
    if taken := [message for message in claimed if message.id in sent]:
        new = queue.mark_sent(tx, taken, now)
        for message in taken:
            if message.id in new:
                figures.tell_sent(tx, message, sent[message.id], now)


def _put_down(
    tx: Connection, message: Message, outcome: Refused | Unanswered, now: datetime
) -> None:
    verdict = delivery.judge(message, outcome, now)
    log.warning(
        "mail_not_sent",
        id=message.id,
        order_id=message.order_id,
        kind=message.kind,
        state=verdict.state,
        attempts=verdict.attempts,
        error=delivery.in_public(outcome),
    )
    if not queue.put_down(tx, message, verdict) or verdict.state is not State.FAILED:
        return
    assert verdict.reason is not None
    figures.tell_failed(tx, message, verdict.reason)
    if verdict.suppresses:
        _suppress(tx, message, verdict.last_error, now)


def _suppress(tx: Connection, message: Message, error: str, now: datetime) -> None:
    key = address_key(message.recipient)
    suppression = Suppression(new_id(), key, error, message.id, now)
    if suppressions.add(tx, suppression):
        log.warning("address_suppressed", id=suppression.id, message_id=message.id)


def waiting(tx: Connection) -> Waiting:
    """For the gauges."""
    return queue.waiting(tx)


def forget_bodies(tx: Connection, now: datetime) -> int:
    """One batch of what is older than BODIES_KEPT; how many bodies went."""
    return messages.forget_bodies(tx, now - BODIES_KEPT, SWEEP_BATCH)
