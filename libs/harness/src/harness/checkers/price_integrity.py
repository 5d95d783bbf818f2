"""Every order costs what its lines cost, at the catalog's prices."""

from collections.abc import Iterator

from harness.books import Books
from harness.checkers.violation import Violation


def check(books: Books) -> Iterator[Violation]:
    for order_id, order in books.orders.items():
        lines = books.order_lines.get(order_id, ())
        total = sum(line["quantity"] * line["unit_price_minor"] for line in lines)
        if total != order["total_minor"] or not lines:
            yield Violation(
                f"total is {order['total_minor']}, its {len(lines)} lines come to {total}",
                order_id,
                books.trace_id_of(order_id),
            )
        for line in lines:
            price = books.prices.get(line["sku"])
            if price != line["unit_price_minor"]:
                yield Violation(
                    f"{line['sku']} sold at {line['unit_price_minor']}, the catalog says {price}",
                    order_id,
                    books.trace_id_of(order_id),
                )
