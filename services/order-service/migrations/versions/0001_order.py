"""Orders, their lines, their history, and the idempotency keys."""

import sqlalchemy as sa
from alembic import op
from common.migrations import create_messaging_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_messaging_tables()
    now = sa.func.now()
    op.create_table(
        "orders",
        sa.Column("id", sa.UUID, primary_key=True),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("total_minor", sa.BigInteger, nullable=False),
        sa.Column("payment_method", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("cancel_reason", sa.Text),
        sa.Column("cancellation_requested", sa.Text),
        sa.Column("stock_settled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("payment_settled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_nudge_at", sa.DateTime(timezone=True)),
        sa.Column("nudges", sa.Integer, nullable=False, server_default="0"),
        sa.Column("traceparent", sa.Text),
        sa.CheckConstraint("total_minor > 0", name="total_positive"),
        sa.CheckConstraint("status IN ('pending', 'confirmed', 'cancelled')", name="status_known"),
        sa.CheckConstraint(
            "(status = 'cancelled') = (cancel_reason IS NOT NULL)", name="cancelled_for_a_reason"
        ),
        sa.CheckConstraint(
            "(next_nudge_at IS NULL) = (stock_settled AND payment_settled)",
            name="watched_until_settled",
        ),
    )
    op.create_index("orders_of_customer", "orders", ["customer_id", sa.text("id DESC")])
    op.create_index(
        "orders_unsettled",
        "orders",
        ["next_nudge_at"],
        postgresql_where=sa.text("next_nudge_at IS NOT NULL"),
    )
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.UUID, sa.ForeignKey("orders.id"), primary_key=True),
        sa.Column("position", sa.SmallInteger, primary_key=True),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_price_minor", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("order_id", "sku", name="one_line_a_sku"),
        sa.CheckConstraint("quantity > 0 AND unit_price_minor > 0", name="line_positive"),
    )
    op.create_table(
        "order_history",
        sa.Column("order_id", sa.UUID, sa.ForeignKey("orders.id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.clock_timestamp(),
        ),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("location", sa.Text),
        sa.Column("body", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
    )
    op.execute(
        """
        DO $$ BEGIN
          IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'order_service') THEN
            REVOKE UPDATE, DELETE, TRUNCATE ON order_history, order_lines FROM order_service;
          END IF;
        END $$
        """
    )
