"""The envelope of every event (CloudEvents 1.0 names), and the tables that carry it.

Outbox: events are inserted in the transaction that made them true, and sent later.
Inbox: the id of each handled event is inserted in the transaction that handled it.
Together: at-least-once delivery, each effect applied once (ADR-0002).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Identity,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    insert,
)
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.dialects.postgresql import insert as pg_insert

from common import tracing
from common.db import wake
from common.errors import TooLarge
from common.ids import new_id

# SNS takes 256 KiB, attributes included. The greatest order there can be, 200 lines of names of 200
# letters of four bytes, makes 190 kB.
EVENT_BYTES_MAX = 240 * 1024

# The loop that sends what is in the outbox.
RELAY = "relay"

metadata = MetaData()  # Unqualified: each service's search_path leads to its own two tables.

outbox = Table(
    "outbox",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", UUID(as_uuid=False), nullable=False, unique=True),
    Column("event_type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("traceparent", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_try_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("published_at", DateTime(timezone=True)),
)

inbox = Table(
    "inbox",
    metadata,
    Column("event_id", UUID(as_uuid=False), primary_key=True),
    Column("event_type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


class EventTooLarge(TooLarge):
    title = "What follows from it is more than one event can tell"


class MalformedEvent(Exception):
    """The message is not an event of ours. No redelivery mends it."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, told once per consumer.

    type: ``noun.past-verb``, e.g. ``order.placed``.
    subject: id of the thing it happened to.
    data: JSON-able, of the schema in the producer's ``contract/events/<type>.v1.json``.
    traceparent: W3C trace context in which it happened; filled in by `publish`.
    """

    type: str
    subject: str
    data: dict[str, Any]
    id: str = field(default_factory=new_id)
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    traceparent: str | None = None

    def to_json(self, source: str) -> str:
        """The CloudEvents 1.0 JSON form; *source* is the producing service."""
        envelope = {
            "specversion": "1.0",
            "id": self.id,
            "source": source,
            "type": self.type,
            "subject": self.subject,
            "time": self.time,
            "datacontenttype": "application/json",
            "data": self.data,
        }
        if self.traceparent:
            envelope["traceparent"] = self.traceparent  # CloudEvents distributed tracing extension
        return orjson.dumps(envelope).decode()


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    specversion: str = Field(pattern=r"^1\.0$")
    id: str = Field(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
    )
    type: str = Field(pattern=r"^[a-z]+(\.[a-z_]+)+$", max_length=64)
    subject: str = Field(min_length=1, max_length=128)
    time: str = Field(max_length=40)
    data: dict[str, Any]
    traceparent: str | None = None


def parse(body: str) -> Event:
    """The event in a message body. Raises MalformedEvent with what is wrong, not with the body."""
    size = len(body.encode())
    if size > EVENT_BYTES_MAX:
        raise MalformedEvent(f"body of {size} bytes, at most {EVENT_BYTES_MAX}")
    try:
        envelope = _Envelope.model_validate_json(body)
    except ValidationError as error:
        raise MalformedEvent(faults_of(error)) from error
    return Event(
        type=envelope.type,
        subject=envelope.subject,
        data=envelope.data,
        id=envelope.id,
        time=envelope.time,
        traceparent=envelope.traceparent,
    )


def faults_of(error: ValidationError) -> str:
    """``place: what is wrong`` for each fault, without the values."""
    return "; ".join(
        f"{'/'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)
    )


def publish(tx: Connection, *events: Event) -> None:
    """Record *events* for sending, in the caller's transaction and the current trace.

    Raises EventTooLarge, so that nothing is accepted which no consumer would take.
    """
    if not events:
        return
    traceparent = tracing.current_traceparent()
    source = tracing.service_name()
    rows = [
        {
            "event_id": event.id,
            "event_type": event.type,
            "subject": event.subject,
            "body": event.to_json(source),
            "traceparent": event.traceparent or traceparent,
        }
        for event in events
    ]
    for row in rows:
        if len((row["body"] or "").encode()) > EVENT_BYTES_MAX:
            raise EventTooLarge(f"{row['event_type']} may have {EVENT_BYTES_MAX} bytes")
    tx.execute(insert(outbox), rows)
    wake(tx, RELAY)


def first_deliveries(tx: Connection, events: Iterable[Event]) -> set[str]:
    """Ids of the *events* that are new here; marks them handled if this transaction commits."""
    rows = sorted(
        {event.id: event for event in events}.values(), key=lambda event: event.id
    )  # Sorted: two workers with overlapping batches must not wait for each other in a ring.
    if not rows:
        return set()
    statement = (
        pg_insert(inbox)
        .values([{"event_id": e.id, "event_type": e.type, "subject": e.subject} for e in rows])
        .on_conflict_do_nothing()
        .returning(inbox.c.event_id)
    )
    return {row.event_id for row in tx.execute(statement)}
