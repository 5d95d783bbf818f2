"""Files of products: accept them, write them chunk by chunk, tell how far they are."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from catalog.domain import imports as domain
from catalog.domain.imports import Chunk, Import, Row, RowError
from catalog.domain.products import Counts, Listing
from catalog.store import imports as store
from catalog.use_cases import products

# Long enough to look at what went wrong last month.
KEEP: Final = timedelta(days=30)
# Imports forgotten in one transaction, with at most ERRORS_KEPT_MAX errors each.
FORGET_BATCH: Final = 5


def accept(tx: Connection, import_id: str, by: str, rows: Sequence[Row]) -> Import:
    """rows: 1-200,000. Nothing is written to the products yet; the worker does that."""
    return store.add(tx, import_id, by, domain.chunks(domain.mark_repeated(rows)))


def read_import(tx: Connection, import_id: str) -> Import:
    """Raises ImportNotFound."""
    return store.get(tx, import_id)


def list_imports(tx: Connection, before: str | None, limit: int) -> tuple[list[Import], str | None]:
    """One page, the latest first, and the id that the next one begins before."""
    found = store.find(tx, before, limit + 1)
    page = found[:limit]
    return page, page[-1].id if len(found) > limit else None


def list_errors(
    tx: Connection, import_id: str, after: int, limit: int
) -> tuple[list[RowError], int | None]:
    """One page in the order of the file, and the position that the next one begins after.

    Raises ImportNotFound.
    """
    store.get(tx, import_id)
    found = store.errors_after(tx, import_id, after, limit + 1)
    page = found[:limit]
    return [error for _, error in page], page[-1][0] if len(found) > limit else None


def next_chunk(tx: Connection) -> Chunk | None:
    return store.next_chunk(tx)


def write_chunk(
    tx: Connection, chunk: Chunk, listings: Sequence[Listing], errors: Sequence[RowError]
) -> Mapping[str, int] | None:
    """Write *listings* and *errors*, which are all rows of *chunk*, and count them as done.

    The revisions of what it changed; None if another worker wrote it already, or is about to.
    """
    if not store.take(tx, chunk):
        return None
    counts, revisions = (
        products.import_products(tx, listings) if listings else (Counts(0, 0, 0), {})
    )
    store.note_errors(tx, chunk.import_id, errors)
    rejected = len(chunk.rows) - len(listings)  # A row may have several faults.
    store.count(tx, chunk.import_id, counts, rejected=rejected)
    return revisions


def give_up(tx: Connection, import_id: str) -> None:
    """What is written stays written; the rest never will be."""
    store.fail(tx, import_id)


def forget(tx: Connection) -> int:
    """A few of the imports that were finished more than KEEP ago; how many went."""
    return store.forget(tx, KEEP, FORGET_BATCH)
