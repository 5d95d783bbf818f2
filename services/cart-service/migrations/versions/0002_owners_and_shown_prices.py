"""Whose a cart is, where a guest's went, which prices were shown; and keys of repeated requests."""

import sqlalchemy as sa
from alembic import op
from common.migrations import create_idempotency_table
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create_idempotency_table()
    # Of the carts there are nobody knows whose they are: a customer's is kept for longer. The
    # next write says so itself.
    op.add_column(
        "carts", sa.Column("owner", sa.Text, nullable=False, server_default=sa.text("'customer'"))
    )
    op.create_check_constraint("carts_owner_known", "carts", "owner IN ('guest', 'customer')")
    op.add_column("carts", sa.Column("merged_into", sa.Text))
    op.create_check_constraint(
        "carts_only_guests_merge", "carts", "merged_into IS NULL OR owner = 'guest'"
    )
    op.add_column(
        "carts",
        sa.Column("shown_prices", JSONB, nullable=False, server_default=sa.text("'{}'")),
    )
    op.create_check_constraint(
        "carts_shown_prices_are_an_object", "carts", "jsonb_typeof(shown_prices) = 'object'"
    )
    # The sweeper's: whichever were left longest ago, empty customers' carts aside.
    op.create_index(
        "carts_guests_by_age",
        "carts",
        ["updated_at"],
        postgresql_where=sa.text("owner = 'guest'"),
    )
    op.create_index(
        "carts_customers_by_age",
        "carts",
        ["updated_at"],
        postgresql_where=sa.text("owner = 'customer' AND lines <> '[]'"),
    )
