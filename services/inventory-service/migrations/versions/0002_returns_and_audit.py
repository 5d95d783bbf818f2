"""Returns, reasons, expiry, idempotency keys, and the sums of the book."""

import sqlalchemy as sa
from alembic import op
from common.migrations import create_idempotency_table

revision = "0002"
down_revision = "0001"

REASONS = (
    "'receipt', 'adjustment', 'reserve', 'commit', 'release',"
    " 'return', 'cycle_count', 'damage', 'loss', 'found'"
)
# Every balance can be recomputed; GET /stock/audit compares.
BALANCES = """
CREATE VIEW balances_from_movements AS
SELECT sku, sum(delta_on_hand)::bigint AS on_hand, sum(delta_reserved)::bigint AS reserved
  FROM movements GROUP BY sku
"""
# What came back is written down as finally as what moved.
APPEND_ONLY = """
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'inventory_service') THEN
    REVOKE UPDATE, DELETE, TRUNCATE ON returns FROM inventory_service;
  END IF;
END $$
"""


def upgrade() -> None:
    create_idempotency_table()
    _create_returns()
    _extend_movements()
    _let_reservations_expire()
    op.execute(BALANCES)
    op.execute(APPEND_ONLY)


def _create_returns() -> None:
    op.create_table(
        "returns",
        sa.Column("return_id", sa.UUID, primary_key=True),
        sa.Column(
            "order_id",
            sa.UUID,
            sa.ForeignKey("reservations.order_id"),
            nullable=False,
            index=True,
        ),
        sa.Column("cause_event_id", sa.UUID, nullable=False),
        sa.Column(
            "restocked_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
    )


def _extend_movements() -> None:
    op.add_column("movements", sa.Column("actor", sa.Text))
    op.add_column("movements", sa.Column("return_id", sa.UUID))
    op.create_foreign_key(
        "movement_of_a_return", "movements", "returns", ["return_id"], ["return_id"]
    )
    op.drop_constraint("known_reason", "movements")
    op.create_check_constraint("known_reason", "movements", f"reason IN ({REASONS})")
    op.create_check_constraint(
        "returned_by_a_return", "movements", "return_id IS NULL OR reason = 'return'"
    )
    op.create_index(
        "once_a_return",
        "movements",
        ["return_id", "sku"],
        unique=True,
        postgresql_where=sa.text("return_id IS NOT NULL"),
    )
    # The latest movements of one SKU, page by page.
    op.create_index("movements_by_sku", "movements", ["sku", "id"])


def _let_reservations_expire() -> None:
    now = sa.func.now()
    op.add_column(
        "reservations",
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
    )
    op.execute("UPDATE reservations SET asked_at = created_at WHERE state = 'held'")
    # Few are held at any time, however many there ever were.
    op.create_index(
        "reservations_held", "reservations", ["asked_at"], postgresql_where="state = 'held'"
    )
