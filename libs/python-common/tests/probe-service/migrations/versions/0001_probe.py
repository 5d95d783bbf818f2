"""The tables that every service has, and one to see effects in."""

import sqlalchemy as sa
from alembic import op
from common.migrations import create_idempotency_table, create_messaging_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_messaging_tables()
    op.create_table("effects", sa.Column("subject", sa.Text, nullable=False))
    create_idempotency_table()
