"""What an order's total is made of, refunds and returns; a key that places one order for ever."""

import sqlalchemy as sa
from alembic import op
from common.migrations import index_idempotency_keys_by_age

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _orders()
    _refunds()
    _returns()
    index_idempotency_keys_by_age()


def _orders() -> None:
    for name in ("subtotal_minor", "shipping_minor", "tax_minor", "refunded_minor"):
        op.add_column("orders", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("orders", sa.Column("action_url", sa.Text))
    op.add_column("orders", sa.Column("client_token", sa.Text))
    # Until now an order cost what its lines cost.
    op.execute("UPDATE orders SET subtotal_minor = total_minor")
    op.create_check_constraint(
        "total_adds_up", "orders", "total_minor = subtotal_minor + shipping_minor + tax_minor"
    )
    op.create_check_constraint(
        "refunded_at_most_once", "orders", "refunded_minor BETWEEN 0 AND total_minor"
    )
    # Idempotency keys are forgotten after 72 h; that a customer's key placed an order is not.
    op.create_index(
        "one_order_a_key",
        "orders",
        ["customer_id", "client_token"],
        unique=True,
        postgresql_where=sa.text("client_token IS NOT NULL"),
    )


def _refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("refund_id", sa.Text, primary_key=True),
        sa.Column("order_id", sa.UUID, sa.ForeignKey("orders.id"), nullable=False),
        sa.Column("return_id", sa.UUID),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint("amount_minor > 0", name="refund_positive"),
    )
    op.create_index("refunds_of_order", "refunds", ["order_id"])


def _returns() -> None:
    op.create_table(
        "returns",
        sa.Column("id", sa.UUID, primary_key=True),
        sa.Column("order_id", sa.UUID, sa.ForeignKey("orders.id"), nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("restocked", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True)),
        sa.Column("refunded_at", sa.DateTime(timezone=True)),
        sa.Column("next_nudge_at", sa.DateTime(timezone=True)),
        sa.Column("nudges", sa.Integer, nullable=False, server_default="0"),
        sa.CheckConstraint(
            "status IN ('requested', 'received', 'refunded')", name="return_status_known"
        ),
        sa.CheckConstraint("amount_minor > 0", name="return_positive"),
        # Watched from the moment the goods are there until money and shelf have answered.
        sa.CheckConstraint(
            "(next_nudge_at IS NOT NULL) = (status <> 'requested'"
            " AND NOT (status = 'refunded' AND restocked))",
            name="return_watched",
        ),
    )
    op.create_index("returns_of_order", "returns", ["order_id"])
    op.create_index(
        "returns_unsettled",
        "returns",
        ["next_nudge_at"],
        postgresql_where=sa.text("next_nudge_at IS NOT NULL"),
    )
    op.create_table(
        "return_lines",
        sa.Column("return_id", sa.UUID, sa.ForeignKey("returns.id"), primary_key=True),
        sa.Column("sku", sa.Text, primary_key=True),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.CheckConstraint("quantity > 0", name="return_line_positive"),
    )
    op.execute(
        """
        DO $$ BEGIN
          IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'order_service') THEN
            REVOKE UPDATE, DELETE, TRUNCATE ON refunds, return_lines FROM order_service;
          END IF;
        END $$
        """
    )
