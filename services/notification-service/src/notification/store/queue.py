"""Messages as a worker sees them: due, claimed for a time, sent or given up."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select, tuple_, update

from notification.domain.delivery import Verdict, Waiting
from notification.domain.messages import Message, Reason, State
from notification.store.messages import IS_QUEUED, MESSAGE, to_message
from notification.store.tables import messages


def claim(tx: Connection, *, now: datetime, until: datetime, limit: int) -> list[Message]:
    """At most *limit* messages, longest due first; nobody else gets them before *until*."""
    due = (
        select(messages.c.id)
        .where(IS_QUEUED, messages.c.next_attempt_at <= now)
        .order_by(messages.c.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    rows = tx.execute(
        update(messages)
        .where(messages.c.id == due.c.id)
        .values(next_attempt_at=until)
        .returning(*MESSAGE)
    )
    return sorted((to_message(row) for row in rows), key=lambda message: message.id)


def mark_sent(tx: Connection, sent: Sequence[Message], now: datetime) -> set[str]:
    """The ids of those that were not marked before; another worker may have been faster."""
    rows = tx.execute(
        update(messages)
        .where(_still_queued(sent))
        .values(
            state=State.SENT,
            sent_at=now,
            first_sent_at=func.coalesce(messages.c.first_sent_at, now),
            attempts=messages.c.attempts + 1,
            last_error=None,
        )
        .returning(messages.c.id)
    )
    return {row.id for row in rows}


def put_down(tx: Connection, message: Message, verdict: Verdict) -> bool:
    """Write *verdict* down; False if the message is not what it was when it was claimed."""
    values = {
        "state": verdict.state,
        "reason": verdict.reason,
        "attempts": verdict.attempts,
        "refusals": verdict.refusals,
        "last_error": verdict.last_error,
        "next_attempt_at": verdict.next_attempt_at,
    }
    statement = update(messages).where(_still_queued([message])).values(values)
    return tx.execute(statement).rowcount == 1


def suppress(tx: Connection, message: Message, reason: Reason) -> bool:
    """It is not to be sent; False if somebody else has dealt with it."""
    statement = (
        update(messages)
        .where(_still_queued([message]))
        .values(state=State.SUPPRESSED, reason=reason)
    )
    return tx.execute(statement).rowcount == 1


def give_back(tx: Connection, untried: Sequence[Message], now: datetime) -> None:
    """They were claimed and not tried: due again, as if nothing had been."""
    tx.execute(update(messages).where(_still_queued(untried)).values(next_attempt_at=now))


def waiting(tx: Connection) -> Waiting:
    row = tx.execute(select(func.count(), func.min(messages.c.created_at)).where(IS_QUEUED)).one()
    return Waiting(*row)


def _still_queued(claimed: Sequence[Message]) -> ColumnElement[bool]:
    """A message that was sent again since is another round, about which *claimed* says nothing."""
    rounds = [(message.id, message.resends) for message in claimed]
    return IS_QUEUED & tuple_(messages.c.id, messages.c.resends).in_(rounds)
