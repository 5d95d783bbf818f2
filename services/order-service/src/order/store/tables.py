"""The tables of the order service, as its migrations make them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import UUID

metadata = MetaData()

orders = Table(
    "orders",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("subtotal_minor", BigInteger, nullable=False),
    Column("shipping_minor", BigInteger, nullable=False),
    Column("tax_minor", BigInteger, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("refunded_minor", BigInteger, nullable=False),
    Column("payment_method", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("cancel_reason", Text),
    Column("cancellation_requested", Text),
    Column("stock_settled", Boolean, nullable=False),
    Column("payment_settled", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("deadline_at", DateTime(timezone=True), nullable=False),
    Column("next_nudge_at", DateTime(timezone=True)),
    Column("nudges", Integer, nullable=False),
    Column("traceparent", Text),
    Column("action_url", Text),
    Column("client_token", Text),
)
order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", UUID(as_uuid=False), primary_key=True),
    Column("position", SmallInteger, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price_minor", BigInteger, nullable=False),
)
order_history = Table(
    "order_history",
    metadata,
    Column("order_id", UUID(as_uuid=False), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("status", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)
returns = Table(
    "returns",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("order_id", UUID(as_uuid=False), nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("restocked", Boolean, nullable=False),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("received_at", DateTime(timezone=True)),
    Column("refunded_at", DateTime(timezone=True)),
    Column("next_nudge_at", DateTime(timezone=True)),
    Column("nudges", Integer, nullable=False),
)
return_lines = Table(
    "return_lines",
    metadata,
    Column("return_id", UUID(as_uuid=False), primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("quantity", Integer, nullable=False),
)
refunds = Table(
    "refunds",
    metadata,
    Column("refund_id", Text, primary_key=True),
    Column("order_id", UUID(as_uuid=False), nullable=False),
    Column("return_id", UUID(as_uuid=False)),
    Column("amount_minor", BigInteger, nullable=False),
)
