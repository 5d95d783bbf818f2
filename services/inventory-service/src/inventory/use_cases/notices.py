"""What shoppers hear of a change of stock: scarce, or enough again."""

from collections.abc import Iterable

from common.events import Event

from inventory import domain
from inventory.domain import AvailabilityChange, Stock


def notices(changes: Iterable[AvailabilityChange]) -> list[Event]:
    """stock.low and stock.replenished for those of *changes* that are news."""
    return [
        Event(event_type, change.sku, {"sku": change.sku, "available": change.after})
        for change in changes
        if (event_type := domain.notice(change))
    ]


def compared(before: Stock | None, after: Stock) -> AvailabilityChange:
    """before: None for a SKU that was never in stock."""
    return AvailabilityChange(after.sku, before.available if before else None, after.available)
