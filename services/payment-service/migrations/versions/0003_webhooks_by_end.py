"""Which webhooks were dealt with long ago."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Nearly all of the table is done and too young to be forgotten: a sweep that finds little
    # would read all of it.
    op.create_index(
        "webhook_events_done",
        "webhook_events",
        ["done_at"],
        postgresql_where=sa.text("state = 'done'"),
    )
