"""Messages as people ask for them: added once a fact, found, listed, sent again, forgotten."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from common.db import wake
from sqlalchemy import Connection, Row, func, null, select, update
from sqlalchemy.dialects.postgresql import insert

from notification.domain.messages import Kind, Message, Reason, State, Wanted
from notification.domain.preferences import Language
from notification.store.tables import messages

# The loop that sends what is queued.
LOOP = "mails"
# An order has a confirmation or a cancellation, and a refund for each of its returns.
OF_ORDER_MAX = 100

MESSAGE = [column for column in messages.c if column.name != "next_attempt_at"]
_BODIES = ("text", "html")
_SHORT = [
    null().label(column.name) if column.name in _BODIES else column
    for column in MESSAGE
]  # fmt: skip
IS_QUEUED = messages.c.state == State.QUEUED


def add(tx: Connection, message: Message) -> bool:
    """Whether it was added: a fact has one message of each kind."""
    statement = (
        insert(messages)
        .values(**asdict(message), next_attempt_at=message.created_at)
        .on_conflict_do_nothing(index_elements=["kind", "fact"])
    )
    is_new = tx.execute(statement).rowcount == 1
    if is_new and message.state is State.QUEUED:
        wake(tx, LOOP)
    return is_new


def find(tx: Connection, message_id: str, *, lock: bool = False) -> Message | None:
    statement = select(*MESSAGE).where(messages.c.id == message_id)
    row = tx.execute(statement.with_for_update() if lock else statement).one_or_none()
    return to_message(row) if row else None


def of_order(tx: Connection, order_id: str, customer_id: str | None = None) -> list[Message]:
    """Oldest first, OF_ORDER_MAX at most. customer_id: whose they must be; None for anybody's."""
    wanted = messages.c.order_id == order_id
    if customer_id is not None:
        wanted &= messages.c.customer_id == customer_id
    statement = (
        select(*MESSAGE)
        .where(wanted)
        .order_by(messages.c.created_at, messages.c.id)
        .limit(OF_ORDER_MAX)
    )
    return [to_message(row) for row in tx.execute(statement)]


def page(tx: Connection, wanted: Wanted, before: str | None, limit: int) -> list[Message]:
    """Newest first, without their bodies. before: the id of the last one that is known."""
    statement = select(*_SHORT).order_by(messages.c.id.desc()).limit(limit)
    if wanted.state is not None:
        statement = statement.where(messages.c.state == wanted.state)
    if wanted.kind is not None:
        statement = statement.where(messages.c.kind == wanted.kind)
    if wanted.recipient is not None:
        statement = statement.where(func.lower(messages.c.recipient) == wanted.recipient.lower())
    if before is not None:
        statement = statement.where(messages.c.id < before)
    return [to_message(row) for row in tx.execute(statement)]


def is_decided(tx: Connection, order_id: str) -> bool:
    """Whether the customer has been told how the order ended."""
    final = messages.c.kind.in_([Kind.ORDER_CONFIRMATION, Kind.ORDER_CANCELLATION])
    statement = select(messages.c.id).where(messages.c.order_id == order_id, final).limit(1)
    return tx.execute(statement).first() is not None


def withdraw_challenges(tx: Connection, order_id: str) -> int:
    """How many mails asked for what has been decided, and had not been sent."""
    statement = (
        update(messages)
        .where(messages.c.order_id == order_id, messages.c.kind == Kind.ACTION_REQUIRED, IS_QUEUED)
        .values(state=State.SUPPRESSED, reason=Reason.OVERTAKEN)
    )
    return tx.execute(statement).rowcount


def queue_again(tx: Connection, message_id: str, now: datetime) -> Message:
    """As if it had never been tried; by its `resends` late outcomes of before are told apart."""
    row = tx.execute(
        update(messages)
        .where(messages.c.id == message_id)
        .values(
            state=State.QUEUED,
            reason=None,
            attempts=0,
            refusals=0,
            last_error=None,
            sent_at=None,
            resends=messages.c.resends + 1,
            next_attempt_at=now,
        )
        .returning(*MESSAGE)
    ).one()
    return to_message(row)


def forget_bodies(tx: Connection, before: datetime, limit: int) -> int:
    """Of at most *limit* messages from before then, but for those still to be sent."""
    old = (
        select(messages.c.id)
        .where(messages.c.text.is_not(None), messages.c.created_at < before, ~IS_QUEUED)
        .order_by(messages.c.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    statement = update(messages).where(messages.c.id == old.c.id).values(text=None, html=None)
    return tx.execute(statement).rowcount


def to_message(row: Row[Any]) -> Message:
    found = row._asdict()
    typed = {
        "kind": Kind(row.kind),
        "state": State(row.state),
        "language": Language(row.language),
        "reason": Reason(row.reason) if row.reason else None,
    }
    return Message(**found | typed)
