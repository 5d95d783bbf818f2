"""The messages to customers."""

import sqlalchemy as sa
from alembic import op
from common.migrations import create_messaging_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_messaging_tables()
    op.create_table(
        "messages",
        sa.Column("id", sa.UUID, primary_key=True),
        sa.Column("order_id", sa.UUID, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("html", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("traceparent", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("order_id", "kind", name="one_of_each_kind_an_order"),
        sa.CheckConstraint(
            "kind IN ('order_confirmation', 'order_cancellation')", name="known_kind"
        ),
        sa.CheckConstraint("state IN ('queued', 'sent', 'failed')", name="known_state"),
        sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_at_some_time"),
        sa.CheckConstraint("attempts >= 0", name="attempts_are_counted"),
    )
    # Only what is queued is ever looked for; the index stays as small as the queue.
    op.create_index(
        "messages_due",
        "messages",
        ["next_attempt_at"],
        postgresql_where=sa.text("state = 'queued'"),
    )
