"""Where the provider's pages go on, if a comparison of the books did not come to their end."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # A moment would not do: more may have changed in one than a comparison reads.
    op.add_column("reconciliation_plan", sa.Column("cursor", sa.Text))
