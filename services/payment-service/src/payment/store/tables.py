"""The tables, as far as statements name their columns; migrations/ makes them."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import UUID

metadata = MetaData()

payments = Table(
    "payments",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("order_id", UUID(as_uuid=False), nullable=False, unique=True),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("payment_method", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("void_requested", Boolean, nullable=False),
    Column("provider_payment_id", Text),
    Column("decline_code", Text),
    Column("customer_id", Text),
    Column("action_url", Text),
    Column("action_expires_at", DateTime(timezone=True)),
    Column("traceparent", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
operations = Table(
    "operations",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("payment_id", UUID(as_uuid=False), nullable=False),
    Column("kind", Text, nullable=False),
    Column("refund_id", UUID(as_uuid=False)),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_attempt_at", DateTime(timezone=True)),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False),
    Column("outcome", Text),
    Column("last_error", Text),
    Column("traceparent", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("done_at", DateTime(timezone=True)),
)
refunds = Table(
    "refunds",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("payment_id", UUID(as_uuid=False), nullable=False),
    Column("return_id", UUID(as_uuid=False)),
    Column("amount_minor", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", Text),
    Column("provider_refund_id", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("succeeded_at", DateTime(timezone=True)),
)
ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("payment_id", UUID(as_uuid=False), nullable=False),
    Column("refund_id", UUID(as_uuid=False)),
    Column("account", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
)
webhook_events = Table(
    "webhook_events",
    metadata,
    Column("position", BigInteger, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False),
    Column("last_error", Text),
    Column("received_at", DateTime(timezone=True)),
    Column("done_at", DateTime(timezone=True)),
    Column("traceparent", Text),
)
runs = Table(
    "reconciliation_runs",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("compared", Integer, nullable=False),
    Column("healed", Integer, nullable=False),
    Column("differences", Integer, nullable=False),
    Column("error", Text),
)
plan = Table(
    "reconciliation_plan",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("next_run_at", DateTime(timezone=True)),
    Column("step", Integer, nullable=False),
    Column("since", Text),
    Column("cursor", Text),
    Column("changed_at", DateTime(timezone=True)),
    Column("payment_id", UUID(as_uuid=False)),
)
differences = Table(
    "differences",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("about", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("order_id", Text),
    Column("provider_payment_id", Text),
    Column("detail", Text, nullable=False),
    Column("found_at", DateTime(timezone=True)),
    Column("seen_at", DateTime(timezone=True)),
    Column("resolved_at", DateTime(timezone=True)),
)
