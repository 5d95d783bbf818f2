"""Every order costs what its lines cost in the catalog, with shipping and tax by the rule."""

from collections.abc import Iterator

from harness.books import Books
from harness.checkers.violation import Violation
from harness.pricing import totals


def check(books: Books) -> Iterator[Violation]:
    for order_id, order in books.orders.items():
        lines = books.order_lines.get(order_id, ())
        due = totals(sum(line["quantity"] * line["unit_price_minor"] for line in lines))
        for name, amount in (
            ("subtotal_minor", due.subtotal_minor),
            ("shipping_minor", due.shipping_minor),
            ("tax_minor", due.tax_minor),
            ("total_minor", due.total_minor),
        ):
            if order[name] != amount or not lines:
                yield Violation(
                    f"{name} is {order[name]}, its {len(lines)} lines make it {amount}",
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
