"""Customers with their credentials, and the messaging tables."""

import sqlalchemy as sa
from alembic import op
from common.migrations import create_messaging_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_messaging_tables()
    op.create_table(
        "customers",
        sa.Column("id", sa.UUID, primary_key=True),
        sa.Column("email", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False, server_default="customer"),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.CheckConstraint("email = lower(email)", name="customers_email_canonical"),
        sa.CheckConstraint("char_length(email) BETWEEN 3 AND 254", name="customers_email_length"),
        sa.CheckConstraint("role IN ('customer', 'staff')", name="customers_role_known"),
        sa.CheckConstraint("password_hash LIKE '$argon2id$%'", name="customers_password_hashed"),
    )
    # The service adds customers and changes none: it cannot make one of them staff.
    op.execute(
        "DO $$ BEGIN"
        " IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'auth_service') THEN"
        "  REVOKE INSERT, UPDATE, DELETE ON customers FROM auth_service;"
        "  GRANT INSERT (id, email, name, password_hash) ON customers TO auth_service;"
        " END IF; END $$"
    )
