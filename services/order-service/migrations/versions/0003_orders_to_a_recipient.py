"""How many orders were placed to one e-mail address of late."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Not by id, as the customers' is: then PostgreSQL may walk the primary key backwards instead,
    # through a million orders to other addresses.
    newest = [sa.text("lower(email)"), sa.text("placed_at DESC")]
    op.create_index("orders_to_recipient", "orders", newest)
