"""Reading, writing, withdrawing and quoting products; and what stock says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from common import etags
from common.etags import IfMatchRequired, VersionMismatch
from common.events import Event, publish
from sqlalchemy import Connection

from catalog.domain import products as domain
from catalog.domain.products import (
    Availability,
    Change,
    Counts,
    Listing,
    Node,
    PriceChange,
    Product,
    ProductExists,
    ProductNotFound,
)
from catalog.domain.search import Place
from catalog.store import products as store
from catalog.store import search as search_store

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Precondition:
    """What a writer knows of the product (RFC 9110 §13.1).

    version: by If-Match; None with given: whatever it is, but it is there. must_be_new: by
    `If-None-Match: *`.
    """

    given: bool = False
    version: int | None = None
    must_be_new: bool = False


def load_products(tx: Connection, skus: Sequence[str]) -> Mapping[str, Product]:
    """skus: 1-200, unique. One statement."""
    return store.get_many(tx, skus)


def read_price_history(
    tx: Connection, sku: str, before: int | None, limit: int
) -> tuple[list[PriceChange], int | None]:
    """One page, the latest first, and the position that the next one begins before.

    Raises ProductNotFound.
    """
    store.get(tx, sku)
    found = store.price_history(tx, sku, before, limit + 1)
    page = found[:limit]
    return page, page[-1].position if len(found) > limit else None


def list_variants(
    tx: Connection, sku: str, after: Place | None, limit: int
) -> tuple[Product, list[Product], Place | None]:
    """The product, one page of its group, and where the next one begins. Raises ProductNotFound."""
    product = store.get(tx, sku)
    group_id = product.listing.product_group_id
    found = store.variants(tx, group_id, after, limit + 1) if group_id else []
    page = found[:limit]
    last = page[-1].listing if len(found) > limit else None
    return product, page, Place(last.price_minor, last.sku) if last else None


def list_categories(tx: Connection) -> list[Node]:
    """Departments, their categories, their types; with the number of products sold in each."""
    return domain.tree(store.departments(tx))


def put_product(
    tx: Connection, listing: Listing, condition: Precondition
) -> tuple[Product, Change]:
    """Create or change a product; what was withdrawn is sold again.

    Publishes product.created or product.changed, unless it was so already. Raises
    VersionMismatch, ProductExists, IfMatchRequired.
    """
    known = store.lock(tx, listing.sku)
    if known is None:
        if condition.given:
            raise VersionMismatch(
                "there is no such product",
                expected_version=condition.version,
                actual_version=0,
            )
        created = store.add(tx, listing)
        if created:
            search_store.note_words(tx, [listing.sku])
            _tell(tx, created, Change.CREATED)
            return created, Change.CREATED
        known = store.lock(tx, listing.sku)  # Somebody was faster by a moment.
        if known is None:
            raise AssertionError(f"{listing.sku} is there and is not: products are never deleted")
    return _put_known(tx, known, listing, condition)


def withdraw_product(tx: Connection, sku: str, condition: Precondition) -> Product:
    """Sell it no longer; once more changes nothing. Publishes product.changed.

    Raises ProductNotFound, VersionMismatch.
    """
    known = store.lock(tx, sku)
    if known is None:
        raise ProductNotFound(f"product {sku} does not exist", sku=sku)
    if not known.is_sold:
        return known
    etags.check(condition.version, known.version)
    withdrawn = store.discontinue(tx, sku)
    _tell(tx, withdrawn, Change.CHANGED)
    return withdrawn


def import_products(
    tx: Connection, listings: Sequence[Listing]
) -> tuple[Counts, Mapping[str, int]]:
    """listings: 1-1,000, unique by SKU. What it did, and the revisions of what it changed.

    Publishes nothing: nobody wants 92,000 notices (ADR-0010).
    """
    written = store.put_many(tx, listings)
    search_store.note_words(tx, [one.sku for one in written])
    created = sum(one.version == 1 for one in written)
    counts = Counts(created, len(written) - created, len(listings) - len(written))
    return counts, {one.sku: one.revision for one in written}


def note_availability(
    tx: Connection, sku: str, availability: Availability, *, at: datetime
) -> None:
    """Show *availability*, as of *at*. News that is late, or of what we do not sell, is dropped:

    a badge is advice, and the reservation alone decides.
    """
    if not store.set_availability(tx, sku, availability, at=at):
        log.info("availability_not_news", sku=sku, availability=availability)


def _put_known(
    tx: Connection, known: Product, listing: Listing, condition: Precondition
) -> tuple[Product, Change]:
    if condition.must_be_new:
        raise ProductExists(f"product {listing.sku} exists", sku=listing.sku)
    if not condition.given:
        raise IfMatchRequired("the product exists: send the ETag of what you have read")
    if known.is_sold and known.listing == listing:
        # It is as wanted, perhaps by this very request sent twice (RFC 9110 §13.1.1).
        return known, Change.UNCHANGED
    etags.check(condition.version, known.version)
    changed = store.change(tx, listing)
    search_store.note_words(tx, [listing.sku])
    _tell(tx, changed, Change.CHANGED)
    return changed, Change.CHANGED


def _tell(tx: Connection, product: Product, change: Change) -> None:
    listing = product.listing
    told: dict[str, object] = {
        "sku": listing.sku,
        "name": listing.name,
        "department": listing.department,
        "category": listing.category,
        "price_minor": listing.price_minor,
        "currency": listing.currency,
        "version": product.version,
        "discontinued": not product.is_sold,
    }
    for name in ("product_type", "brand", "size", "product_group_id"):
        if value := getattr(listing, name):
            told[name] = value
    publish(tx, Event(f"product.{change}", listing.sku, told))
