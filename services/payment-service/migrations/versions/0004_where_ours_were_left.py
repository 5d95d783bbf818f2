"""How far our own payments were looked at when the books were compared."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # By our clock, and with the id: any number may have changed in one moment. Not since the
    # moment in `since`, which is the provider's, and from which a run steps back a little: those
    # that it steps back over could be all that it has time for, again and again.
    op.add_column("reconciliation_plan", sa.Column("changed_at", sa.DateTime(timezone=True)))
    op.add_column("reconciliation_plan", sa.Column("payment_id", sa.UUID))
    op.create_check_constraint(
        "place_whole", "reconciliation_plan", "(changed_at IS NULL) = (payment_id IS NULL)"
    )
