"""Sessions with their refresh tokens, signing keys, changes of roles, changes of passwords."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_sessions()
    _create_refresh_tokens()
    _create_signing_keys()
    _create_role_changes()
    op.execute(
        "DO $$ BEGIN"
        " IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'auth_service') THEN"
        "  GRANT UPDATE (password_hash) ON customers TO auth_service;"
        # A token stays what it was issued as; who became staff is not the service's to write.
        "  REVOKE UPDATE ON refresh_tokens FROM auth_service;"
        "  REVOKE INSERT, UPDATE, DELETE ON role_changes FROM auth_service;"
        " END IF; END $$"
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.UUID, primary_key=True),
        sa.Column(
            "customer_id",
            sa.UUID,
            sa.ForeignKey("customers.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("user_agent", sa.Text, nullable=False, server_default=""),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("rotated_at", _TIME, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_used_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("ended_by", sa.Text),
        sa.CheckConstraint("generation > 0", name="sessions_generation_positive"),
        sa.CheckConstraint("char_length(user_agent) <= 200", name="sessions_user_agent_short"),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="sessions_ended_by"),
    )
    op.create_index(
        "sessions_live",
        "sessions",
        ["customer_id", "last_used_at"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("sessions_by_expiry", "sessions", ["expires_at"])


def _create_refresh_tokens() -> None:
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column(
            "session_id", sa.UUID, sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.UniqueConstraint("session_id", "generation", name="refresh_tokens_once_a_generation"),
        sa.CheckConstraint("octet_length(hash) = 32", name="refresh_tokens_hashed"),
    )


def _create_signing_keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text, primary_key=True),
        sa.Column("algorithm", sa.Text, nullable=False),
        sa.Column("public_jwk", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("signs_from", _TIME, nullable=False),
        sa.Column("created_at", _TIME, nullable=False, server_default=sa.func.now()),
    )


def _create_role_changes() -> None:
    op.create_table(
        "role_changes",
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("customer_id", sa.UUID, sa.ForeignKey("customers.id"), nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("changed_at", _TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("changed_by", sa.Text, nullable=False, server_default=sa.func.current_user()),
    )
