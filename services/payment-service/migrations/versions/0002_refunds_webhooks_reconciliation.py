"""Refunds, 3-D Secure, the provider's webhooks, and the comparison of the two books."""

import sqlalchemy as sa
from alembic import op
from common.migrations import create_idempotency_table

revision = "0002"
down_revision = "0001"

STATUSES = (
    "'initiated', 'unknown', 'action_required', 'authorized', 'declined', 'captured',"
    " 'partially_refunded', 'refunded', 'voided'"
)
KINDS = "'authorize', 'capture', 'void', 'refund'"
ACCOUNTS = "'provider_receivable', 'sales', 'refunds', 'provider_payable'"
OUTCOMES = "'unknown', 'refused'"

# Two refunds that race for the last cents wait here for one another, whoever writes them.
REFUNDS_WITHIN_CAPTURED = """
CREATE FUNCTION refunds_within_captured() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM payments WHERE id = NEW.payment_id FOR UPDATE;
  IF (SELECT sum(amount_minor) FROM refunds WHERE payment_id = NEW.payment_id)
     > (SELECT coalesce(sum(amount_minor), 0) FROM ledger_entries
         WHERE payment_id = NEW.payment_id AND account = 'provider_receivable') THEN
    RAISE EXCEPTION 'refunds of payment % exceed what was captured', NEW.payment_id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$
"""


def upgrade() -> None:
    create_idempotency_table()
    _extend_payments()
    _create_refunds()
    _extend_operations()
    _extend_ledger()
    _create_webhook_events()
    _create_reconciliation()


def _extend_payments() -> None:
    op.add_column("payments", sa.Column("customer_id", sa.Text))
    op.add_column("payments", sa.Column("action_url", sa.Text))
    op.add_column("payments", sa.Column("action_expires_at", sa.DateTime(timezone=True)))
    op.add_column("payments", sa.Column("traceparent", sa.Text))
    op.drop_constraint("status_known", "payments")
    op.create_check_constraint("status_known", "payments", f"status IN ({STATUSES})")
    # What a comparison of the books has to look at: what changed lately.
    op.create_index("payments_by_change", "payments", ["updated_at"])


def _create_refunds() -> None:
    now = sa.func.now()
    op.create_table(
        "refunds",
        sa.Column("id", sa.UUID, primary_key=True),
        sa.Column("payment_id", sa.UUID, sa.ForeignKey("payments.id"), nullable=False, index=True),
        sa.Column("return_id", sa.UUID, unique=True),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("requested_by", sa.Text),
        sa.Column("provider_refund_id", sa.Text, unique=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("succeeded_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("amount_minor > 0", name="refund_positive"),
    )
    op.execute(REFUNDS_WITHIN_CAPTURED)
    op.execute(
        "CREATE TRIGGER refunds_within_captured AFTER INSERT OR UPDATE OF amount_minor, payment_id"
        " ON refunds FOR EACH ROW EXECUTE FUNCTION refunds_within_captured()"
    )


def _extend_operations() -> None:
    op.add_column("operations", sa.Column("refund_id", sa.UUID, sa.ForeignKey("refunds.id")))
    op.add_column("operations", sa.Column("outcome", sa.Text))
    op.add_column("operations", sa.Column("first_attempt_at", sa.DateTime(timezone=True)))
    # Of those made before, the earliest that their first attempt can have been.
    op.execute("UPDATE operations SET first_attempt_at = created_at WHERE attempts > 0")
    op.drop_constraint("kind_known", "operations")
    op.create_check_constraint("kind_known", "operations", f"kind IN ({KINDS})")
    op.create_check_constraint("outcome_known", "operations", f"outcome IN ({OUTCOMES})")
    op.create_check_constraint(
        "refund_named", "operations", "(kind = 'refund') = (refund_id IS NOT NULL)"
    )
    op.drop_constraint("one_operation_of_a_kind", "operations")
    op.create_index(
        "one_operation_of_a_kind",
        "operations",
        ["payment_id", "kind"],
        unique=True,
        postgresql_where=sa.text("kind <> 'refund'"),
    )
    op.create_index("one_operation_a_refund", "operations", ["refund_id"], unique=True)


def _extend_ledger() -> None:
    op.add_column("ledger_entries", sa.Column("refund_id", sa.UUID, sa.ForeignKey("refunds.id")))
    op.drop_constraint("account_known", "ledger_entries")
    op.create_check_constraint("account_known", "ledger_entries", f"account IN ({ACCOUNTS})")
    op.create_check_constraint(
        "refund_accounts",
        "ledger_entries",
        "(account IN ('refunds', 'provider_payable')) = (refund_id IS NOT NULL)",
    )
    op.drop_constraint("captured_once", "ledger_entries")
    op.create_index(
        "captured_once",
        "ledger_entries",
        ["payment_id", "account"],
        unique=True,
        postgresql_where=sa.text("refund_id IS NULL"),
    )
    op.create_index("refunded_once", "ledger_entries", ["refund_id", "account"], unique=True)
    op.create_index("ledger_of_payment", "ledger_entries", ["payment_id"])


def _create_webhook_events() -> None:
    now = sa.func.now()
    op.create_table(
        "webhook_events",
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="due"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column(
            "next_attempt_at", sa.DateTime(timezone=True), nullable=False, server_default=now
        ),
        sa.Column("last_error", sa.Text),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("state IN ('due', 'done', 'refused')", name="webhook_state_known"),
    )
    op.create_index(
        "webhook_events_due",
        "webhook_events",
        ["next_attempt_at"],
        postgresql_where=sa.text("state = 'due'"),
    )


def _create_reconciliation() -> None:
    now = sa.func.now()
    op.create_table(
        "reconciliation_runs",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("compared", sa.Integer, nullable=False, server_default="0"),
        sa.Column("healed", sa.Integer, nullable=False, server_default="0"),
        sa.Column("differences", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.Text),
    )
    # One row: when the books are compared next, and from where on.
    op.create_table(
        "reconciliation_plan",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("next_run_at", sa.DateTime(timezone=True)),
        sa.Column("step", sa.Integer, nullable=False, server_default="0"),
        sa.Column("since", sa.Text),
        sa.CheckConstraint("id = 1", name="one_plan"),
    )
    op.create_table(
        "differences",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("order_id", sa.Text),
        sa.Column("provider_payment_id", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "kind IN ('unknown_charge', 'another_payment', 'amounts_differ', 'status_differs',"
            " 'missing_at_provider')",
            name="difference_known",
        ),
    )
    op.create_index(
        "open_differences",
        "differences",
        ["about", "kind"],
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
