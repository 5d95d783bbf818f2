"""What the catalog does: one function per use case, in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

import structlog
from common.events import Event, publish
from sqlalchemy import Connection

from catalog import domain, store
from catalog.domain import (
    Availability,
    Change,
    Department,
    ImportCounts,
    Listing,
    Product,
    ProductNotFound,
    Quote,
    Search,
)

log = structlog.get_logger()


def search_products(tx: Connection, search: Search) -> tuple[list[Product], str | None]:
    """One page of products by SKU, and the cursor of the next page if there is one."""
    found = store.find(tx, replace(search, limit=search.limit + 1))
    if len(found) <= search.limit:
        return found, None
    page = found[: search.limit]
    return page, domain.cursor_after(page[-1].listing.sku)


def read_product(tx: Connection, sku: str) -> Product:
    """Raises ProductNotFound."""
    if not domain.is_sku(sku):
        raise ProductNotFound("that is no SKU of ours")
    return store.get(tx, sku)


def list_departments(tx: Connection) -> list[Department]:
    return store.departments(tx)


def quote_prices(tx: Connection, skus: Sequence[str]) -> Quote:
    """skus: 1-200, unique."""
    return domain.quote(skus, store.prices(tx, skus))


def put_product(tx: Connection, listing: Listing) -> tuple[Product, Change]:
    """Create or change a product. Publishes product.created or product.changed, if it did."""
    product = store.put(tx, listing)
    if product is None:
        return store.get(tx, listing.sku), Change.UNCHANGED
    change = Change.CREATED if product.version == 1 else Change.CHANGED
    told = asdict(product.listing) | {"version": product.version}
    publish(tx, Event(f"product.{change}", listing.sku, told))
    return product, change


def import_products(tx: Connection, listings: Sequence[Listing]) -> ImportCounts:
    """listings: 1-1,000, unique by SKU. Publishes nothing: nobody wants 92,000 notices."""
    counts = store.put_many(tx, listings)
    return ImportCounts(counts[Change.CREATED], counts[Change.CHANGED], counts[Change.UNCHANGED])


def note_availability(
    tx: Connection, sku: str, availability: Availability, *, at: datetime
) -> None:
    """Show *availability*, as of *at*. News that is late, or of what we do not sell, is dropped:

    a badge is advice, and the reservation alone decides.
    """
    if not store.set_availability(tx, sku, availability, at=at):
        log.info("availability_not_news", sku=sku, availability=availability)
