"""What people do to the stock and want to know of it."""

from collections.abc import Sequence

from common.events import publish
from sqlalchemy import Connection

from inventory import domain, store
from inventory.domain import Audit, Change, Level, Line, Movement, Stock, StockNotFound
from inventory.use_cases.notices import compared, notices


def receive_stock(tx: Connection, lines: Sequence[Line], change: Change) -> list[Stock]:
    """Put what was delivered on the shelf; the stock of those SKUs then, by SKU.

    lines: 1-1,000; several of one SKU are added up.
    Publishes stock.replenished or stock.low for what shoppers see differently now.
    """
    arrived = domain.merged(lines)
    skus = [line.sku for line in arrived]
    unknown = store.add_unknown(tx, skus)
    before = store.lock_stock(tx, skus)
    after = store.receive(tx, arrived, change)
    publish(
        tx,
        *notices(
            compared(None if left.sku in unknown else before[left.sku], left) for left in after
        ),
    )
    return after


def adjust_stock(tx: Connection, sku: str, delta: int, change: Change) -> Stock:
    """Make the book agree with the shelf: counted, lost, broken, or found again.

    Raises StockNotFound, BelowReserved. Publishes as `receive_stock` does.
    """
    before = _known(sku, store.lock_stock(tx, [sku]))
    domain.check_adjustment(before, delta)
    after = store.adjust(tx, sku, delta, change)
    publish(tx, *notices([compared(before, after)]))
    return after


def read_stock(tx: Connection, sku: str) -> Stock:
    """Raises StockNotFound."""
    return _known(sku, store.levels(tx, [sku]) if domain.is_sku(sku) else {})


def query_stock(tx: Connection, skus: Sequence[str]) -> tuple[list[Stock], list[str]]:
    """The stock of *skus* (1-200, unique) in their order, and those that never had any."""
    found = store.levels(tx, skus)
    return [found[sku] for sku in skus if sku in found], [s for s in skus if s not in found]


def list_stock(
    tx: Connection, after: str, level: Level | None, limit: int
) -> tuple[list[Stock], str | None]:
    """*limit* at the most by SKU, of *level* only if given, and the SKU to go on after."""
    available = domain.availability_of(level) if level else (0, None)
    found = store.list_stock(tx, after, available, limit + 1)
    return found[:limit], found[limit - 1].sku if len(found) > limit else None


def list_movements(
    tx: Connection, sku: str, before: int | None, limit: int
) -> tuple[list[Movement], int | None]:
    """The latest first, and the id to go on before. Raises StockNotFound."""
    read_stock(tx, sku)
    found = store.list_movements(tx, sku, before, limit + 1)
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def audit_stock(tx: Connection, limit: int) -> Audit:
    """Every balance held against the sum of its movements and what orders hold."""
    return store.audit(tx, limit)


def _known(sku: str, found: dict[str, Stock]) -> Stock:
    if sku not in found:
        raise StockNotFound("nothing of that SKU was ever received")
    return found[sku]
