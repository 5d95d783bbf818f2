"""Messages in PostgreSQL. Knows SQL and `domain`; decides nothing."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from common.events import metadata
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Integer,
    Row,
    Table,
    Text,
    any_,
    bindparam,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, UUID, insert

from notification.domain import Kind, Message, State, Verdict

messages = Table(
    "messages",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("order_id", UUID(as_uuid=False), nullable=False),
    Column("kind", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False),
    Column("last_error", Text),
    Column("traceparent", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("sent_at", DateTime(timezone=True)),
)

_MESSAGE = [column for column in messages.c if column.name != "next_attempt_at"]
_QUEUED = messages.c.state == State.QUEUED
_ANY_OF_IDS = messages.c.id == any_(bindparam("ids", type_=ARRAY(UUID(as_uuid=False))))


def add(tx: Connection, message: Message) -> bool:
    """Whether it was added: an order has one message of each kind."""
    statement = (
        insert(messages)
        .values(**asdict(message), next_attempt_at=message.created_at)
        .on_conflict_do_nothing(index_elements=["order_id", "kind"])
    )
    return tx.execute(statement).rowcount == 1


def of_order(tx: Connection, order_id: str) -> list[Message]:
    """Oldest first."""
    rows = tx.execute(
        select(*_MESSAGE)
        .where(messages.c.order_id == order_id)
        .order_by(messages.c.created_at, messages.c.id)
    )
    return [_message(row) for row in rows]


def claim(tx: Connection, *, now: datetime, until: datetime, limit: int) -> list[Message]:
    """At most *limit* messages, longest due first; nobody else gets them before *until*."""
    due = (
        select(messages.c.id)
        .where(_QUEUED, messages.c.next_attempt_at <= now)
        .order_by(messages.c.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    rows = tx.execute(
        update(messages)
        .where(messages.c.id == due.c.id)
        .values(next_attempt_at=until)
        .returning(*_MESSAGE)
    )
    return sorted((_message(row) for row in rows), key=lambda message: message.id)


def mark_sent(tx: Connection, ids: Sequence[str], now: datetime) -> set[str]:
    """The ids that were not marked before; another worker may have been faster."""
    rows = tx.execute(
        update(messages)
        .where(_ANY_OF_IDS, _QUEUED)
        .values(state=State.SENT, sent_at=now, attempts=messages.c.attempts + 1, last_error=None)
        .returning(messages.c.id),
        {"ids": list(ids)},
    )
    return {row.id for row in rows}


def postpone(tx: Connection, message_id: str, verdict: Verdict) -> None:
    tx.execute(
        update(messages).where(messages.c.id == message_id, _QUEUED).values(**asdict(verdict))
    )


def give_back(tx: Connection, ids: Sequence[str], now: datetime) -> None:
    """They were claimed and not tried: due again, as if nothing had been."""
    tx.execute(
        update(messages).where(_ANY_OF_IDS, _QUEUED).values(next_attempt_at=now),
        {"ids": list(ids)},
    )


def _message(row: Row[Any]) -> Message:
    found = row._asdict()
    return Message(**found | {"kind": Kind(row.kind), "state": State(row.state)})
