"""Every order went only through states it may go through, and left no final state.

It cannot see a step that was skipped and left the state as it was.
"""

from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation

# From each status, where an order may go next. Entries that keep the status are notes.
ALLOWED = {
    None: {"pending"},
    "pending": {"pending", "confirmed", "cancelled"},
    "confirmed": {"confirmed"},
    "cancelled": {"cancelled"},
}


def check(books: Books) -> Iterator[Violation]:
    for order_id, order in books.orders.items():
        trace_id = books.trace_id_of(order_id)
        before, expected_version = None, 1
        for entry in books.order_history.get(order_id, ()):
            if entry["version"] != expected_version:
                yield Violation(
                    "an order's history has a gap",
                    order_id,
                    trace_id,
                    expected=f"version {expected_version}",
                    found=f"version {entry['version']}",
                )
            if entry["status"] not in ALLOWED[before]:
                yield Violation(
                    "an order went where it may not go",
                    order_id,
                    trace_id,
                    expected=f"{before or 'nothing'} → {' or '.join(sorted(ALLOWED[before]))}",
                    found=f"{before or 'nothing'} → {entry['status']} by {entry['event']}",
                )
            before, expected_version = entry["status"], entry["version"] + 1
        if before != order["status"]:
            yield Violation(
                "an order is not what its history says",
                order_id,
                trace_id,
                expected=before or "no order, as there is no history",
                found=order["status"],
            )
