"""Products in PostgreSQL. Knows SQL and `domain`; decides nothing."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    Row,
    Select,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    column,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, Insert, insert

from catalog.domain import (
    Availability,
    Change,
    Department,
    Listing,
    Price,
    Product,
    ProductNotFound,
    Search,
)

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
    Column("availability", Text, nullable=False, server_default=Availability.IN_STOCK.value),
    Column("availability_at", DateTime(timezone=True)),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

_LIKE_SPECIAL = re.compile(r"[%_\\]")
_LISTED = ("name", "department", "category", "price_minor", "currency")
_PRODUCT = select(
    products.c.sku,
    *(products.c[name] for name in _LISTED),
    products.c.availability,
    products.c.version,
    products.c.updated_at,
)
# Built once: every checkout asks it. An array is one parameter, however many SKUs there are.
_PRICES = select(products.c.sku, products.c.name, products.c.price_minor).where(
    products.c.sku == any_(bindparam("skus", type_=ARRAY(Text)))
)


def get(tx: Connection, sku: str) -> Product:
    """Raises ProductNotFound."""
    row = tx.execute(_PRODUCT.where(products.c.sku == sku)).one_or_none()
    if row is None:
        raise ProductNotFound(f"product {sku} does not exist", sku=sku)
    return _product(row)


def find(tx: Connection, search: Search) -> list[Product]:
    """At most ``search.limit`` products by SKU; a short page is the last one."""
    statement: Select[Any] = _PRODUCT.where(products.c.sku > search.after)
    if search.department:
        statement = statement.where(products.c.department == search.department)
    for word in search.words:
        # ILIKE, not lower(): of the column itself the planner knows how common a word is.
        statement = statement.where(products.c.name.ilike(_anywhere(word)))
    rows = tx.execute(statement.order_by(products.c.sku).limit(search.limit))
    return [_product(row) for row in rows]


def departments(tx: Connection) -> list[Department]:
    rows = tx.execute(
        select(products.c.department, func.count())
        .group_by(products.c.department)
        .order_by(products.c.department)
    )
    return [Department(name, count) for name, count in rows]


def prices(tx: Connection, skus: Sequence[str]) -> dict[str, Price]:
    """The prices of those *skus* that are sold here, by SKU; one statement."""
    rows = tx.execute(_PRICES, {"skus": list(skus)})
    return {sku: Price(sku, name, price_minor) for sku, name, price_minor in rows}


def put(tx: Connection, listing: Listing) -> Product | None:
    """The product as it is now, or None if it already was so."""
    statement = _unless_the_same(insert(products).values(asdict(listing)))
    row = tx.execute(statement.returning(*_PRODUCT.selected_columns)).one_or_none()
    return _product(row) if row else None


def put_many(tx: Connection, listings: Sequence[Listing]) -> Counter[Change]:
    """Upsert *listings* (unique by SKU) in one statement; count what it did to each."""
    listed = (
        func.jsonb_to_recordset(cast(bindparam("listings", type_=Text), JSONB))
        .table_valued(
            *(column(name, products.c[name].type) for name in ("sku", *_LISTED)), name="listed"
        )
        .render_derived(with_types=True)
    )
    rows = select(*(listed.c[name] for name in ("sku", *_LISTED))).order_by(
        listed.c.sku  # Two imports at once lock the rows in the same order.
    )
    statement = _unless_the_same(insert(products).from_select(["sku", *_LISTED], rows))
    written = tx.execute(
        statement.returning(products.c.version),
        {"listings": orjson.dumps(listings).decode()},
    ).scalars()
    counts = Counter(_change(version) for version in written)
    counts[Change.UNCHANGED] = len(listings) - counts.total()
    return counts


def set_availability(tx: Connection, sku: str, availability: Availability, *, at: datetime) -> bool:
    """Whether it was news: the product exists and nothing later is known of it."""
    statement = (
        update(products)
        .where(
            products.c.sku == sku,
            or_(products.c.availability_at.is_(None), products.c.availability_at < at),
        )
        .values(availability=availability, availability_at=at)
    )
    return tx.execute(statement).rowcount == 1


def _anywhere(word: str) -> str:
    """The LIKE pattern of *word* itself, wherever it stands."""
    return "%" + _LIKE_SPECIAL.sub(r"\\\g<0>", word) + "%"


def _unless_the_same(statement: Insert) -> Insert:
    """On conflict update, count the version, and return nothing for what stays as it is."""
    excluded = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[products.c.sku],
        set_={name: excluded[name] for name in _LISTED}
        | {"version": products.c.version + 1, "updated_at": func.now()},
        where=tuple_(*(products.c[name] for name in _LISTED)).is_distinct_from(
            tuple_(*(excluded[name] for name in _LISTED))
        ),
    )


def _change(version: int) -> Change:
    return Change.CREATED if version == 1 else Change.CHANGED


def _product(row: Row[*tuple[Any, ...]]) -> Product:
    sku, name, department, category, price_minor, currency, availability, version, updated_at = row
    return Product(
        Listing(sku, name, department, category, price_minor, currency),
        Availability(availability),
        version,
        updated_at,
    )
