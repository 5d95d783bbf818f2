"""How long things took in a run. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.audit.books import Books, Checkout
from harness.shopper.history import Operation


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds; exact, not bucketed. None when there was nothing to measure."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


def percentiles(milliseconds: Sequence[float]) -> Percentiles:
    """Nearest-rank percentiles."""
    if not milliseconds:
        return Percentiles(0, None, None, None, None)
    ordered = sorted(milliseconds)

    def at(share: float) -> float:
        return ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)]

    return Percentiles(len(ordered), at(0.50), at(0.95), at(0.99), ordered[-1])


def placing_times(operations: Sequence[Operation]) -> list[float]:
    """How long `POST /orders` took, as the shoppers felt it."""
    return [op.duration_ms for op in operations if op.kind == "place_order" and op.order_id]


def confirming_times(books: Books, checkouts: Sequence[Checkout]) -> dict[str, float]:
    """Milliseconds from placed to confirmed, by order id: both by the order service's clock."""
    times = {}
    for checkout in checkouts:
        entries = {
            entry["status"]: entry["at"]
            for entry in reversed(books.order_history.get(checkout.order_id or "", ()))
        }
        if checkout.order_id and "confirmed" in entries and "pending" in entries:
            times[checkout.order_id] = (entries["confirmed"] - entries["pending"]) * 1000
    return times
