"""Stock, the reservations of orders, and the book of every movement."""

import sqlalchemy as sa
from alembic import op
from common.migrations import create_messaging_tables
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

# A book is only written on. The role exists wherever the service runs as itself.
APPEND_ONLY = """
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'inventory_service') THEN
    REVOKE UPDATE, DELETE, TRUNCATE ON movements FROM inventory_service;
  END IF;
END $$
"""


def upgrade() -> None:
    create_messaging_tables()
    op.create_table(
        "stock",
        sa.Column("sku", sa.Text, primary_key=True),
        sa.Column("on_hand", sa.BigInteger, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.CheckConstraint("0 <= reserved AND reserved <= on_hand", name="never_oversold"),
        # Room on the page, so that a changed row need not move to another (HOT updates).
        postgresql_with={"fillfactor": "70"},
    )
    _create_reservations()
    _create_movements()
    op.execute(APPEND_ONLY)


def _create_reservations() -> None:
    now = sa.func.now()
    op.create_table(
        "reservations",
        sa.Column("order_id", sa.UUID, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("context", JSONB),
        sa.Column("missing", JSONB),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.CheckConstraint(
            "state IN ('held', 'committed', 'released', 'rejected')", name="known_state"
        ),
        sa.CheckConstraint(
            "(state = 'rejected') = (missing IS NOT NULL)", name="rejected_for_what_is_missing"
        ),
    )
    op.create_table(
        "reservation_lines",
        sa.Column("order_id", sa.UUID, sa.ForeignKey("reservations.order_id"), primary_key=True),
        sa.Column("sku", sa.Text, sa.ForeignKey("stock.sku"), primary_key=True),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.CheckConstraint("quantity > 0", name="positive_quantity"),
    )


def _create_movements() -> None:
    op.create_table(
        "movements",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("delta_on_hand", sa.BigInteger, nullable=False),
        sa.Column("delta_reserved", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("order_id", sa.UUID),
        sa.Column("cause_event_id", sa.UUID),
        sa.Column("note", sa.Text),
        sa.Column(
            "occurred_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.CheckConstraint(
            "reason IN ('receipt', 'adjustment', 'reserve', 'commit', 'release')",
            name="known_reason",
        ),
        sa.CheckConstraint("delta_on_hand <> 0 OR delta_reserved <> 0", name="moves_something"),
        sa.CheckConstraint(
            "(reason IN ('reserve', 'commit', 'release')) = (order_id IS NOT NULL)",
            name="reserved_for_an_order",
        ),
        # An order reserves, commits and releases a SKU once, whatever is delivered twice.
        sa.UniqueConstraint("order_id", "sku", "reason", name="once_an_order"),
    )
