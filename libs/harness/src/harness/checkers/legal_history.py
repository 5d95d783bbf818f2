"""Every order went only through states it may go through, and left no final state."""

from collections.abc import Iterator

from harness.books import Books
from harness.checkers.violation import Violation

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
                    f"history jumps to version {entry['version']}, expected {expected_version}",
                    order_id,
                    trace_id,
                )
            if entry["status"] not in ALLOWED[before]:
                yield Violation(
                    f"went from {before or 'nothing'} to {entry['status']} by {entry['event']}",
                    order_id,
                    trace_id,
                )
            before, expected_version = entry["status"], entry["version"] + 1
        if before != order["status"]:
            yield Violation(
                f"history ends {before or 'empty'}, the order is {order['status']}",
                order_id,
                trace_id,
            )
