"""One message a fact instead of an order; languages, reasons, suppressions and preferences."""

import sqlalchemy as sa
from alembic import op
from common.migrations import create_idempotency_table

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _facts()
    _reasons()
    _resends()
    _bodies()
    _indexes()
    _suppressions()
    _preferences()
    create_idempotency_table()


def _facts() -> None:
    """Until now every fact was an order."""
    op.add_column("messages", sa.Column("fact", sa.Text))
    op.add_column("messages", sa.Column("language", sa.Text, nullable=False, server_default="en"))
    op.add_column("messages", sa.Column("customer_id", sa.Text))
    op.execute("UPDATE messages SET fact = order_id::text")
    op.alter_column("messages", "fact", nullable=False)
    op.alter_column("messages", "order_id", nullable=True)
    op.drop_constraint("one_of_each_kind_an_order", "messages")
    op.create_unique_constraint("one_message_a_fact", "messages", ["kind", "fact"])
    op.drop_constraint("known_kind", "messages")
    op.create_check_constraint(
        "known_kind",
        "messages",
        "kind IN ('welcome', 'order_confirmation', 'order_cancellation', 'action_required',"
        " 'refund')",
    )
    op.create_check_constraint("known_language", "messages", "language IN ('en', 'es')")
    op.create_check_constraint(
        "only_a_welcome_is_about_no_order", "messages", "(kind = 'welcome') = (order_id IS NULL)"
    )


def _reasons() -> None:
    op.add_column("messages", sa.Column("reason", sa.Text))
    op.add_column("messages", sa.Column("refusals", sa.Integer, nullable=False, server_default="0"))
    op.execute("UPDATE messages SET refusals = attempts WHERE last_error ~ '^5'")
    # What failed before: after five times no, after twenty times "not now", or untried.
    op.execute(
        "UPDATE messages SET reason = CASE"
        " WHEN last_error ~ '^5' THEN 'refused' WHEN attempts > 0 THEN 'deferred'"
        " ELSE 'not_an_address' END WHERE state = 'failed'"
    )
    op.drop_constraint("known_state", "messages")
    op.create_check_constraint(
        "known_state", "messages", "state IN ('queued', 'sent', 'failed', 'suppressed')"
    )
    op.create_check_constraint(
        "reason_of_its_state",
        "messages",
        "CASE state WHEN 'failed' THEN reason IN ('refused', 'deferred', 'not_an_address')"
        " WHEN 'suppressed' THEN reason IN ('address_suppressed', 'preference', 'overtaken')"
        " ELSE reason IS NULL END IS TRUE",
    )
    op.create_check_constraint(
        "refusals_are_attempts", "messages", "refusals BETWEEN 0 AND attempts"
    )


def _resends() -> None:
    op.add_column("messages", sa.Column("resends", sa.Integer, nullable=False, server_default="0"))
    op.add_column("messages", sa.Column("first_sent_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE messages SET first_sent_at = sent_at")
    op.create_check_constraint("resends_are_counted", "messages", "resends >= 0")
    op.create_check_constraint(
        "what_is_sent_was_first_sent",
        "messages",
        "sent_at IS NULL OR first_sent_at IS NOT NULL",
    )


def _bodies() -> None:
    """They are forgotten after a while, both at once, and never before they are sent."""
    op.alter_column("messages", "text", nullable=True)
    op.alter_column("messages", "html", nullable=True)
    op.create_check_constraint("both_bodies_or_none", "messages", "(text IS NULL) = (html IS NULL)")
    op.create_check_constraint(
        "what_is_queued_has_a_body", "messages", "state <> 'queued' OR text IS NOT NULL"
    )


def _indexes() -> None:
    op.create_index(
        "messages_of_order",
        "messages",
        ["order_id"],
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )
    op.create_index("messages_by_recipient", "messages", [sa.text("lower(recipient)"), "id"])
    op.create_index("messages_by_kind", "messages", ["kind", "id"])
    # Nearly everything is sent; what is not is what staff look for.
    op.create_index(
        "messages_not_sent",
        "messages",
        ["state", "id"],
        postgresql_where=sa.text("state <> 'sent'"),
    )
    op.create_index(
        "messages_with_bodies",
        "messages",
        ["created_at"],
        postgresql_where=sa.text("text IS NOT NULL"),
    )


def _suppressions() -> None:
    op.create_table(
        "suppressions",
        sa.Column("id", sa.UUID, primary_key=True),
        sa.Column("address", sa.Text, nullable=False, unique=True),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("message_id", sa.UUID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("address = lower(address)", name="address_in_small_letters"),
    )


def _preferences() -> None:
    op.create_table(
        "preferences",
        sa.Column("customer_id", sa.Text, primary_key=True),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("requested_cancellations", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("language IN ('en', 'es')", name="language_known"),
        sa.CheckConstraint("version >= 0", name="version_is_counted"),
    )
