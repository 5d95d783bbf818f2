"""Products as staff write them and shoppers read them: one, many, by group, and their prices."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple

import orjson
from sqlalchemy import (
    Connection,
    Text,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from catalog.domain.products import (
    Availability,
    Listing,
    PriceChange,
    Product,
    ProductNotFound,
)
from catalog.domain.search import Place
from catalog.store.tables import (
    LISTED,
    OPTIONAL,
    PRODUCT,
    PRODUCT_COLUMNS,
    REQUIRED,
    product,
    product_prices,
    products,
)

_AMONG = products.c.sku == any_(bindparam("skus", type_=ARRAY(Text)))
# Built once: every checkout asks it. An array is one parameter, however many SKUs there are.
_MANY = PRODUCT.where(_AMONG)


class Written(NamedTuple):
    sku: str
    version: int
    revision: int


def get(tx: Connection, sku: str) -> Product:
    """Raises ProductNotFound."""
    row = tx.execute(PRODUCT.where(products.c.sku == sku)).one_or_none()
    if row is None:
        raise ProductNotFound(f"product {sku} does not exist", sku=sku)
    return product(row)


def get_many(tx: Connection, skus: Sequence[str]) -> dict[str, Product]:
    """Those of *skus* that there are, by SKU; one statement."""
    return {row.sku: product(row) for row in tx.execute(_MANY, {"skus": list(skus)})}


def lock(tx: Connection, sku: str) -> Product | None:
    """The product, which nobody else changes until this transaction ends; None if there is none."""
    statement = PRODUCT.where(products.c.sku == sku).with_for_update()
    row = tx.execute(statement).one_or_none()
    return product(row) if row else None


def add(tx: Connection, listing: Listing) -> Product | None:
    """The new product; None if somebody else has just added it."""
    statement = insert(products).values(asdict(listing)).on_conflict_do_nothing()
    row = tx.execute(statement.returning(*PRODUCT_COLUMNS)).one_or_none()
    return product(row) if row else None


def change(tx: Connection, listing: Listing) -> Product:
    """Make it sold, and so; counts its version."""
    values = asdict(listing) | {"discontinued_at": None}
    return _change(tx, listing.sku, values)


def discontinue(tx: Connection, sku: str) -> Product:
    return _change(tx, sku, {"discontinued_at": func.now()})


def put_many(tx: Connection, listings: Sequence[Listing]) -> list[Written]:
    """Upsert *listings* (unique by SKU) in one statement; those that it did change.

    What a listing does not say (None) stays as it is. What was discontinued is sold again.
    """
    listed = (
        func.jsonb_to_recordset(cast(bindparam("listings", type_=Text), JSONB))
        .table_valued(
            *(column(name, products.c[name].type) for name in ("sku", *LISTED)), name="listed"
        )
        .render_derived(with_types=True)
    )
    rows = select(*(listed.c[name] for name in ("sku", *LISTED))).order_by(
        listed.c.sku  # Two imports at once lock the rows in the same order.
    )
    statement = insert(products).from_select(["sku", *LISTED], rows)
    new = {name: statement.excluded[name] for name in REQUIRED} | {
        name: func.coalesce(statement.excluded[name], products.c[name]) for name in OPTIONAL
    }
    upsert = statement.on_conflict_do_update(
        index_elements=[products.c.sku],
        set_=new
        | {
            "discontinued_at": None,
            "version": products.c.version + 1,
            "revision": products.c.revision + 1,
            "updated_at": func.now(),
        },
        where=or_(
            products.c.discontinued_at.is_not(None),
            tuple_(*(products.c[name] for name in LISTED)).is_distinct_from(
                tuple_(*(new[name] for name in LISTED))
            ),
        ),
    ).returning(products.c.sku, products.c.version, products.c.revision)
    written = tx.execute(upsert, {"listings": orjson.dumps(listings).decode()})
    return [Written(*row) for row in written]


def set_availability(tx: Connection, sku: str, availability: Availability, *, at: datetime) -> bool:
    """Whether it was news: the product exists and nothing later is known of it."""
    statement = (
        update(products)
        .where(
            products.c.sku == sku,
            or_(products.c.availability_at.is_(None), products.c.availability_at < at),
        )
        .values(availability=availability, availability_at=at, revision=products.c.revision + 1)
    )
    return tx.execute(statement).rowcount == 1


def variants(tx: Connection, group_id: str, after: Place | None, limit: int) -> list[Product]:
    """At most *limit* products of the group that are sold, the cheapest first."""
    statement = PRODUCT.where(
        products.c.product_group_id == group_id, products.c.discontinued_at.is_(None)
    )
    if after:
        statement = statement.where(
            tuple_(products.c.price_minor, products.c.sku)
            > tuple_(literal(after.key), literal(after.sku))
        )
    rows = tx.execute(statement.order_by(products.c.price_minor, products.c.sku).limit(limit))
    return [product(row) for row in rows]


def price_history(tx: Connection, sku: str, before: int | None, limit: int) -> list[PriceChange]:
    """At most *limit* prices of the product, the latest first, from before that position on."""
    c = product_prices.c
    statement = select(c.position, c.price_minor, c.currency, c.valid_from).where(c.sku == sku)
    if before is not None:
        statement = statement.where(c.position < before)
    rows = tx.execute(statement.order_by(c.position.desc()).limit(limit))
    return [PriceChange(*row) for row in rows]


def departments(tx: Connection) -> list[tuple[str, str, str | None, int]]:
    """Department, category, type and number of products sold, in the order of their names."""
    c = products.c
    rows = tx.execute(
        select(c.department, c.category, c.product_type, func.count())
        .where(c.discontinued_at.is_(None))
        .group_by(c.department, c.category, c.product_type)
        .order_by(c.department, c.category, c.product_type)
    )
    return [(department, category, kind, count) for department, category, kind, count in rows]


def _change(tx: Connection, sku: str, values: dict[str, object]) -> Product:
    statement = (
        update(products)
        .where(products.c.sku == sku)
        .values(
            **values,
            version=products.c.version + 1,
            revision=products.c.revision + 1,
            updated_at=func.now(),
        )
    )
    return product(tx.execute(statement.returning(*PRODUCT_COLUMNS)).one())
