"""At no moment was more promised than there was, and each order took just what it had reserved.

It cannot see goods that were promised and let go between two movements of one statement.
"""

from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation, listed


def check(books: Books) -> Iterator[Violation]:
    for sku, lowest in books.lowest.items():
        for balance, what in (("free", "to sell"), ("reserved", "reserved")):
            if lowest[balance] < 0:
                yield Violation(
                    f"less than nothing was {what} at some moment",
                    expected="0 at least",
                    found=str(lowest[balance]),
                    about=f"SKU {sku}",
                )
    for order_id in books.moved.keys() | books.reservation_lines.keys():
        yield from _one_order(books, order_id)


def _one_order(books: Books, order_id: str) -> Iterator[Violation]:
    state = books.reservations.get(order_id)
    moved = books.moved.get(order_id, ())
    held = {line["sku"]: line["quantity"] for line in books.reservation_lines.get(order_id, ())}
    for name, wanted in {
        "promised": held,
        "taken": held if state == "committed" else {},
        "reserved": held if state == "held" else {},
    }.items():
        found = {row["sku"]: row[name] for row in moved if row[name]}
        if found != wanted:
            yield Violation(
                f"the movements of a {state or 'missing'} reservation have another sum {name}",
                order_id,
                books.trace_id_of(order_id),
                expected=listed(wanted),
                found=listed(found),
            )
