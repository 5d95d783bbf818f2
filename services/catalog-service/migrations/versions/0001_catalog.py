"""Products, and the messaging tables."""

import sqlalchemy as sa
from alembic import op
from common.migrations import create_messaging_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_messaging_tables()
    now = sa.func.now()
    op.create_table(
        "products",
        # "C": pages follow the SKU's bytes, on every machine and whatever its locale.
        sa.Column("sku", sa.Text(collation="C"), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("department", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("price_minor", sa.Integer, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("availability", sa.Text, nullable=False, server_default="InStock"),
        sa.Column("availability_at", sa.DateTime(timezone=True)),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.CheckConstraint("char_length(sku) BETWEEN 1 AND 64", name="products_sku_length"),
        sa.CheckConstraint("price_minor > 0", name="products_price_positive"),
        sa.CheckConstraint("currency = 'USD'", name="products_one_currency"),
        sa.CheckConstraint(
            "availability IN ('InStock', 'LimitedAvailability', 'OutOfStock')",
            name="products_availability_known",
        ),
        sa.CheckConstraint("version >= 1", name="products_version_counts"),
    )
    op.create_index("products_by_department", "products", ["department", "sku"])
