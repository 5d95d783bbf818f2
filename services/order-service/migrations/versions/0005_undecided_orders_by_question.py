"""The undecided orders that are due to be asked about: among all that are, a stuck one is due for
ever, and who looks for the others walks past it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    undecided = sa.text("status = 'pending' AND cancellation_requested IS NULL")
    op.create_index("orders_undecided", "orders", ["next_nudge_at"], postgresql_where=undecided)
