"""The few orders that are pending, newest first: among all, who lists them walks through all."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    pending = sa.text("status = 'pending'")
    op.create_index("orders_pending", "orders", ["id"], postgresql_where=pending)
