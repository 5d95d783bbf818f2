"""What a payment waits for is found by the payment."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    # Staff's list asks it for each row, when much is due most of all: while the provider is away.
    op.create_index(
        "operations_due_by_payment",
        "operations",
        ["payment_id"],
        postgresql_where=sa.text("state = 'due'"),
    )
