"""Stock is what was received less what was sold, never negative, and nothing stays reserved.

It cannot see whether what was received had been counted rightly.
"""

from collections import Counter
from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation


def check(books: Books) -> Iterator[Violation]:
    for sku, stock in books.stock.items():
        moved = books.movements.get(sku, {"on_hand": 0, "reserved": 0})
        for balance in ("on_hand", "reserved"):
            if stock[balance] != moved[balance]:
                yield Violation(
                    f"stock {balance.replace('_', ' ')} is not what its movements come to",
                    expected=str(moved[balance]),
                    found=str(stock[balance]),
                    about=f"SKU {sku}",
                )
        if not 0 <= stock["reserved"] <= stock["on_hand"]:
            yield Violation(
                "more is promised than is there",
                expected=f"at most {stock['on_hand']} reserved, as many as are on hand",
                found=f"{stock['reserved']} reserved",
                about=f"SKU {sku}",
            )
        if stock["reserved"]:
            yield Violation(
                "stock is still reserved after all orders settled",
                expected="0 reserved",
                found=f"{stock['reserved']} reserved",
                about=f"SKU {sku}",
            )
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
                "the inventory committed another quantity than confirmed orders have",
                expected=f"{ordered[sku]}, as ordered",
                found=str(committed[sku]),
                about=f"SKU {sku}",
            )
