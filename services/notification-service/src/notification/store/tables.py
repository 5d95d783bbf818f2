"""The tables, as migrations 0001 and 0002 make them."""

from common.events import metadata
from sqlalchemy import Boolean, Column, DateTime, Integer, Table, Text
from sqlalchemy.dialects.postgresql import UUID

messages = Table(
    "messages",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("fact", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("order_id", UUID(as_uuid=False)),
    Column("customer_id", Text),
    Column("recipient", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text),
    Column("html", Text),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("attempts", Integer, nullable=False),
    Column("refusals", Integer, nullable=False),
    Column("resends", Integer, nullable=False),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False),
    Column("last_error", Text),
    Column("traceparent", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("first_sent_at", DateTime(timezone=True)),
    Column("sent_at", DateTime(timezone=True)),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("address", Text, nullable=False, unique=True),  # as `domain.messages.address_key` has it
    Column("error", Text, nullable=False),
    Column("message_id", UUID(as_uuid=False), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

preferences = Table(
    "preferences",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("language", Text, nullable=False),
    Column("requested_cancellations", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
)
