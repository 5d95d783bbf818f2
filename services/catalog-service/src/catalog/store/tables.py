"""The tables, as the migrations make them, and how a row becomes a product."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import TSVECTOR, UUID

from catalog.domain.products import Availability, Listing, Product

metadata = MetaData()

products = Table(
    "products",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("department", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("price_minor", Integer, nullable=False),
    Column("currency", Text, nullable=False),
    Column("product_type", Text),
    Column("brand", Text),
    Column("size", Text),
    Column("product_group_id", Text),
    Column("availability", Text, nullable=False, server_default=Availability.IN_STOCK.value),
    Column("availability_at", DateTime(timezone=True)),
    Column("discontinued_at", DateTime(timezone=True)),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("revision", BigInteger, nullable=False, server_default="1"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("search", TSVECTOR),  # generated
    Column("name_key", Text),  # generated
)

product_prices = Table(
    "product_prices",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("sku", Text, nullable=False),
    Column("price_minor", Integer, nullable=False),
    Column("currency", Text, nullable=False),
    Column("valid_from", DateTime(timezone=True), nullable=False),
)

search_words = Table(
    "search_words",
    metadata,
    Column("word", Text, primary_key=True),
    Column("products", Integer, nullable=False),
)

product_imports = Table(
    "product_imports",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("state", Text, nullable=False, server_default="accepted"),
    Column("created_by", Text, nullable=False),
    Column("rows_total", Integer, nullable=False),
    Column("created", Integer, nullable=False, server_default="0"),
    Column("changed", Integer, nullable=False, server_default="0"),
    Column("unchanged", Integer, nullable=False, server_default="0"),
    Column("rejected", Integer, nullable=False, server_default="0"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("finished_at", DateTime(timezone=True)),
)

product_import_chunks = Table(
    "product_import_chunks",
    metadata,
    Column("import_id", UUID(as_uuid=False), ForeignKey("product_imports.id"), primary_key=True),
    Column("first_row", Integer, primary_key=True),
    Column("rows", Text, nullable=False),
)

product_import_errors = Table(
    "product_import_errors",
    metadata,
    Column("import_id", UUID(as_uuid=False), ForeignKey("product_imports.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("row", Integer, nullable=False),
    Column("sku", Text),
    Column("pointer", Text, nullable=False),
    Column("detail", Text, nullable=False),
)

REQUIRED = ("name", "department", "category", "price_minor", "currency")
OPTIONAL = ("product_type", "brand", "size", "product_group_id")
LISTED = (*REQUIRED, *OPTIONAL)
# What `product` reads, in its order; whoever selects more puts it behind.
PRODUCT_COLUMNS = (
    products.c.sku,
    *(products.c[name] for name in LISTED),
    products.c.availability,
    products.c.discontinued_at,
    products.c.version,
    products.c.revision,
    products.c.created_at,
    products.c.updated_at,
)
PRODUCT = select(*PRODUCT_COLUMNS)
_LISTING_END = 1 + len(LISTED)


def product(row: Row[*tuple[Any, ...]]) -> Product:
    availability, discontinued_at, version, revision, created_at, updated_at = row[
        _LISTING_END : _LISTING_END + 6
    ]
    return Product(
        Listing(*row[:_LISTING_END]),
        Availability.DISCONTINUED if discontinued_at else Availability(availability),
        version,
        revision,
        created_at,
        updated_at,
    )
