"""Payments, the operations asked of the provider, and the ledger."""

import sqlalchemy as sa
from alembic import op
from common.migrations import create_messaging_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_messaging_tables()
    now = sa.func.now()
    op.create_table(
        "payments",
        sa.Column("id", sa.UUID, primary_key=True),
        sa.Column("order_id", sa.UUID, nullable=False, unique=True),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("payment_method", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("void_requested", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("provider_payment_id", sa.Text, unique=True),
        sa.Column("decline_code", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
        sa.CheckConstraint(
            "status IN ('initiated', 'authorized', 'declined', 'captured', 'voided')",
            name="status_known",
        ),
    )
    op.create_table(
        "operations",
        sa.Column("id", sa.UUID, primary_key=True),
        sa.Column("payment_id", sa.UUID, sa.ForeignKey("payments.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="due"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column(
            "next_attempt_at", sa.DateTime(timezone=True), nullable=False, server_default=now
        ),
        sa.Column("last_error", sa.Text),
        sa.Column("traceparent", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("payment_id", "kind", name="one_operation_of_a_kind"),
        sa.CheckConstraint("kind IN ('authorize', 'capture', 'void')", name="kind_known"),
        sa.CheckConstraint("state IN ('due', 'done')", name="state_known"),
    )
    op.create_index(
        "operations_due",
        "operations",
        ["next_attempt_at"],
        postgresql_where=sa.text("state = 'due'"),
    )
    # Money is taken or let go of, never both.
    op.create_index(
        "capture_or_void",
        "operations",
        ["payment_id"],
        unique=True,
        postgresql_where=sa.text("kind IN ('capture', 'void')"),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("payment_id", sa.UUID, sa.ForeignKey("payments.id"), nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.UniqueConstraint("payment_id", "account", name="captured_once"),
        sa.CheckConstraint("account IN ('provider_receivable', 'sales')", name="account_known"),
    )
    # Entries of one payment sum to zero when the transaction that writes them ends.
    op.execute(
        """
        CREATE FUNCTION ledger_balances() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF (SELECT sum(amount_minor) FROM ledger_entries
               WHERE payment_id = NEW.payment_id AND currency = NEW.currency) <> 0 THEN
            RAISE EXCEPTION 'ledger entries of payment % do not sum to zero', NEW.payment_id
              USING ERRCODE = 'check_violation';
          END IF;
          RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER ledger_balances AFTER INSERT ON ledger_entries"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balances()"
    )
    op.execute(
        """
        DO $$ BEGIN
          IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'payment_service') THEN
            REVOKE UPDATE, DELETE, TRUNCATE ON ledger_entries FROM payment_service;
          END IF;
        END $$
        """
    )
