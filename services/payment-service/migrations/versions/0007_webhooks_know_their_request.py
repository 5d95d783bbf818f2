"""A webhook is looked at later: in which request it came, so that a trace shows what led to it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("webhook_events", sa.Column("traceparent", sa.Text))
