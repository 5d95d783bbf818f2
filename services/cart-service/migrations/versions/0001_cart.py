"""Carts, the orders already taken out of them, and the messaging tables."""

import sqlalchemy as sa
from alembic import op
from common.migrations import create_messaging_tables
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_messaging_tables()
    now = sa.func.now()
    op.create_table(
        "carts",
        sa.Column("customer_id", sa.Text, primary_key=True),
        sa.Column("lines", JSONB, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        # CASE: jsonb_array_length of anything but an array is an error, not a refusal.
        sa.CheckConstraint(
            "CASE WHEN jsonb_typeof(lines) = 'array'"
            " THEN jsonb_array_length(lines) <= 200 ELSE false END",
            name="carts_lines_bounded",
        ),
        sa.CheckConstraint("version >= 0", name="carts_version_counts"),
    )
    op.create_table(
        "bought_orders",
        sa.Column("order_id", sa.UUID, primary_key=True),
        sa.Column("taken_out_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
    )
    # Append-only: an order is taken out of its cart once and for all.
    op.execute(
        "DO $$ BEGIN"
        " IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'cart_service') THEN"
        "  REVOKE UPDATE, DELETE ON bought_orders FROM cart_service;"
        " END IF; END $$"
    )
