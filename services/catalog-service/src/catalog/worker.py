"""Queue entry: `python -m catalog.worker`. Event type -> the use case it starts; and imports."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import structlog
from common import worker
from common.consumer import Handler, Prepare
from common.db import Database
from common.events import Event
from common.metrics import meter
from common.worker import Loop
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from catalog.clients import ProductCache
from catalog.domain import products as domain
from catalog.domain.products import Availability
from catalog.routes import files
from catalog.settings import Settings
from catalog.use_cases import imports as import_use_cases
from catalog.use_cases import products as use_cases
from catalog.use_cases import search as search_use_cases

# How often it is looked for imports to forget: an hour late is not late after 30 days.
FORGET_EVERY_S: Final = 3600.0
# How often words are counted: only which of two corrections is the likelier depends on it.
COUNT_WORDS_EVERY_S: Final = 600.0

log = structlog.get_logger()
rows_imported = meter.create_counter("app.import.rows", unit="{row}")


class StockLevel(BaseModel):
    """`data` of stock.low and stock.replenished, as far as the catalog reads it, and its time."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    sku: str = Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$")
    available: int = Field(strict=True, ge=0)
    time: AwareDatetime

    @property
    def at(self) -> datetime:
        return self.time


def on_stock_low(tx: Connection, event: Event) -> None:
    level = _stock_level(event)
    availability = domain.availability_when_low(level.available)
    use_cases.note_availability(tx, level.sku, availability, at=level.at)


def on_stock_replenished(tx: Connection, event: Event) -> None:
    level = _stock_level(event)
    use_cases.note_availability(tx, level.sku, Availability.IN_STOCK, at=level.at)


def _stock_level(event: Event) -> StockLevel:
    return StockLevel.model_validate(event.data | {"time": event.time})


HANDLERS: Mapping[str, Handler] = {
    "stock.low": on_stock_low,
    "stock.replenished": on_stock_replenished,
}


def preparing(cache: ProductCache) -> Prepare:
    """Before a batch: have nobody read copies of its products.

    The only remote call in a transaction, of a millisecond or TIMEOUT_S: the consumer has no place
    outside of it, and held entries go by themselves.
    """

    def prepare(_tx: Connection, events: Sequence[Event]) -> None:
        named = {event.data.get("sku") for event in events}
        cache.hold([sku for sku in named if isinstance(sku, str) and domain.is_sku(sku)])

    return prepare


def import_chunk(db: Database, cache: ProductCache) -> int:
    """Write the next chunk of a file, in one transaction with its progress; how many rows it had.

    Killed at any point, the chunk is either written and counted, or still to be written.
    """
    with db.transaction() as tx:
        chunk = import_use_cases.next_chunk(tx)
    if chunk is None:
        return 0
    listings, errors = files.check(chunk.rows)
    skus = [listing.sku for listing in listings]
    cache.hold(skus)
    try:
        with db.transaction() as tx:
            revisions = import_use_cases.write_chunk(tx, chunk, listings, errors)
    except (DataError, IntegrityError):
        # The checks let through what the table refuses: our bug, and no retry mends it.
        log.exception("import_failed", import_id=chunk.import_id, first_row=chunk.first_row)
        with db.transaction() as tx:
            import_use_cases.give_up(tx, chunk.import_id)
        revisions = None
    cache.outdate(skus, revisions or {})
    if revisions is None:
        return 0
    rows_imported.add(len(listings), {"outcome": "written"})
    rows_imported.add(len(chunk.rows) - len(listings), {"outcome": "rejected"})
    return len(chunk.rows)


def count_words(db: Database) -> int:
    """Never busy: counted once is counted."""
    with db.transaction() as tx:
        search_use_cases.count_words(tx)
    return 0


def forget_imports(db: Database) -> int:
    with db.transaction() as tx:
        return import_use_cases.forget(tx)


def main() -> None:
    worker.install()
    settings = Settings()
    db = Database(settings.database_url.get_secret_value())
    cache = ProductCache(settings.redis_url)
    others = [
        Loop("imports", lambda: import_chunk(db, cache)),
        Loop("words", lambda: count_words(db), every_s=COUNT_WORDS_EVERY_S),
        Loop("forget-imports", lambda: forget_imports(db), every_s=FORGET_EVERY_S),
    ]
    worker.run(worker.messaging_loops(settings, db, HANDLERS, others, preparing(cache)))


if __name__ == "__main__":
    main()
