"""Search, variants, withdrawal, the history of prices, and files of products."""

import sqlalchemy as sa
from alembic import op
from common.migrations import create_idempotency_table

revision = "0002"
down_revision = "0001"

# PostgreSQL trusts all three: whoever may CREATE in the database may have them.
EXTENSIONS = ("pg_trgm", "unaccent", "fuzzystrmatch")
# "CAFÉ" and "cafe" are one word. Called immutable, as it is while unaccent's rules stay as they
# are; the collation is PostgreSQL's own, so that "É" has a small letter on every machine.
FOLD = """
CREATE FUNCTION fold(words text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN lower(unaccent('unaccent'::regdictionary, words) COLLATE pg_c_utf8)
"""
# A is what the thing is called, D where it stands in the shop.
SEARCH = """
setweight(to_tsvector('pg_catalog.simple', fold(sku)), 'A')
|| setweight(to_tsvector('pg_catalog.english', fold(name)), 'A')
|| setweight(to_tsvector('pg_catalog.english', fold(coalesce(product_type, ''))), 'B')
|| setweight(to_tsvector('pg_catalog.english', fold(coalesce(brand, '') || ' ' || category)), 'C')
|| setweight(to_tsvector('pg_catalog.english', fold(department)), 'D')
"""
# Whoever changes a price, by whatever statement, writes history. The path is fixed because a
# superuser's own does not lead here.
HISTORY = """
CREATE FUNCTION note_prices() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO product_prices (sku, price_minor, currency, valid_from)
    SELECT sku, price_minor, currency, updated_at FROM later ORDER BY sku;
  ELSE
    INSERT INTO product_prices (sku, price_minor, currency, valid_from)
    SELECT sku, later.price_minor, later.currency, now() FROM later JOIN earlier USING (sku)
     WHERE later.price_minor <> earlier.price_minor ORDER BY sku;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER note_first_prices AFTER INSERT ON products
  REFERENCING NEW TABLE AS later FOR EACH STATEMENT EXECUTE FUNCTION note_prices();
CREATE TRIGGER note_changed_prices AFTER UPDATE ON products
  REFERENCING OLD TABLE AS earlier NEW TABLE AS later
  FOR EACH STATEMENT EXECUTE FUNCTION note_prices();
"""
# What was once the price stays so.
APPEND_ONLY = """
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'catalog_service') THEN
    REVOKE UPDATE, DELETE, TRUNCATE ON product_prices FROM catalog_service;
  END IF;
END $$
"""
# The words of all products; later ones are added as they come.
WORDS = """
INSERT INTO search_words (word, products)
SELECT word, count(*) FROM products,
  regexp_split_to_table(
    fold(concat_ws(' ', name, product_type, category, brand, department)), '[\\s!-/:-@\\[-`{-~]+'
  ) AS word
 WHERE char_length(word) BETWEEN 3 AND 32 AND word !~ '[0-9]' GROUP BY word
"""


def upgrade() -> None:
    for extension in EXTENSIONS:
        op.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
    op.execute(FOLD)
    _describe_products()
    _keep_prices()
    _know_words()
    _take_files()
    create_idempotency_table()


def _describe_products() -> None:
    for name in ("product_type", "brand", "size"):
        op.add_column("products", sa.Column(name, sa.Text))
    op.add_column("products", sa.Column("product_group_id", sa.Text(collation="C")))
    op.add_column("products", sa.Column("discontinued_at", sa.DateTime(timezone=True)))
    op.add_column(
        "products", sa.Column("revision", sa.BigInteger, nullable=False, server_default="1")
    )
    op.add_column(
        "products",
        sa.Column("search", sa.dialects.postgresql.TSVECTOR, sa.Computed(SEARCH, persisted=True)),
    )
    # Long enough to sort by, short enough for a cursor.
    op.add_column(
        "products",
        sa.Column(
            "name_key", sa.Text(collation="C"), sa.Computed("left(fold(name), 60)", persisted=True)
        ),
    )
    # In every index that a search follows: else a fresh table's planner, without statistics, reads
    # another index whole to find out what is sold.
    sold = "discontinued_at IS NULL"
    op.create_index(
        "products_by_words",
        "products",
        ["search"],
        postgresql_using="gin",
        postgresql_where=sa.text(sold),
    )
    op.create_index(
        "products_by_department_price",
        "products",
        ["department", "price_minor", "sku"],
        postgresql_where=sa.text(sold),
    )
    for name, column in (("price", "price_minor"), ("name", "name_key"), ("age", "created_at")):
        op.create_index(
            f"products_by_{name}", "products", [column, "sku"], postgresql_where=sa.text(sold)
        )
    op.create_index("products_by_category", "products", ["category", "sku"])
    op.create_index(
        "products_by_group",
        "products",
        ["product_group_id", "price_minor", "sku"],
        postgresql_where=sa.text("product_group_id IS NOT NULL"),
    )


def _keep_prices() -> None:
    op.create_table(
        "product_prices",
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("sku", sa.Text(collation="C"), nullable=False),
        sa.Column("price_minor", sa.Integer, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("price_minor > 0", name="product_prices_positive"),
    )
    op.create_index("product_prices_by_sku", "product_prices", ["sku", "position"])
    op.execute(
        "INSERT INTO product_prices (sku, price_minor, currency, valid_from)"
        " SELECT sku, price_minor, currency, updated_at FROM products ORDER BY sku"
    )
    op.execute(HISTORY)
    op.execute(APPEND_ONLY)


def _know_words() -> None:
    op.create_table(
        "search_words",
        sa.Column("word", sa.Text(collation="C"), primary_key=True),
        sa.Column("products", sa.Integer, nullable=False),
    )
    op.execute(WORDS)


def _take_files() -> None:
    now = sa.func.now()
    op.create_table(
        "product_imports",
        sa.Column("id", sa.UUID, primary_key=True),  # UUIDv7: in the order of time
        sa.Column("state", sa.Text, nullable=False, server_default="accepted"),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("rows_total", sa.Integer, nullable=False),
        *(
            sa.Column(name, sa.Integer, nullable=False, server_default="0")
            for name in ("created", "changed", "unchanged", "rejected")
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "state IN ('accepted', 'running', 'done', 'failed')", name="product_imports_state_known"
        ),
        sa.CheckConstraint(
            "created + changed + unchanged + rejected <= rows_total",
            name="product_imports_rows_once",
        ),
    )
    op.create_index(
        "product_imports_unfinished",
        "product_imports",
        ["id"],
        postgresql_where=sa.text("state IN ('accepted', 'running')"),
    )
    _of_an_import("product_import_chunks", "first_row", sa.Column("rows", sa.Text, nullable=False))
    _of_an_import(
        "product_import_errors",
        "position",
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("sku", sa.Text),
        sa.Column("pointer", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )


def _of_an_import(table: str, key: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        table,
        sa.Column(
            "import_id",
            sa.UUID,
            sa.ForeignKey("product_imports.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column(key, sa.Integer, primary_key=True),
        *columns,
    )
