"""Stock is what was received less what was sold, never negative, and nothing stays reserved."""

from collections import Counter
from collections.abc import Iterator

from harness.books import Books
from harness.checkers.violation import Violation


def check(books: Books) -> Iterator[Violation]:
    for sku, stock in books.stock.items():
        moved = books.movements.get(sku, {"on_hand": 0, "reserved": 0})
        for balance in ("on_hand", "reserved"):
            if stock[balance] != moved[balance]:
                yield Violation(
                    f"{sku}: {balance} is {stock[balance]}, its movements come to {moved[balance]}"
                )
        if not 0 <= stock["reserved"] <= stock["on_hand"]:
            yield Violation(
                f"{sku}: {stock['on_hand']} on hand, {stock['reserved']} of them reserved"
            )
        if stock["reserved"]:
            yield Violation(f"{sku}: {stock['reserved']} still reserved after all orders settled")
    yield from _sold_as_ordered(books)


def _sold_as_ordered(books: Books) -> Iterator[Violation]:
    """By the order book: what confirmed orders hold is what the inventory committed."""
    ordered, committed = Counter[str](), Counter[str]()
    for order_id, order in books.orders.items():
        if order["status"] == "confirmed":
            for line in books.order_lines.get(order_id, ()):
                ordered[line["sku"]] += line["quantity"]
    for order_id, state in books.reservations.items():
        if state == "committed":
            for line in books.reservation_lines.get(order_id, ()):
                committed[line["sku"]] += line["quantity"]
    for sku in ordered.keys() | committed.keys():
        if ordered[sku] != committed[sku]:
            yield Violation(
                f"{sku}: {ordered[sku]} sold by orders, {committed[sku]} by the inventory"
            )
