"""Every order costs what its lines cost when it was placed, with shipping and tax by the rule.

It cannot see whether the catalog's own prices were the right ones.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from harness.audit.books import Books, Row
from harness.audit.checkers.violation import Violation
from harness.audit.pricing import shown, totals

# Between asking for the price and writing the order lies a part of one request: milliseconds, or
# seconds where every process of the shop and of its shoppers shares two cores.
ASKED_BEFORE_S = 20.0


def prices_at(history: Sequence[Row], at: float) -> list[int]:
    """The prices that were valid when an order of *at*, seconds since the epoch, asked for them.

    history: of one product, oldest first.
    """
    ends = [later["since"] for _, later in pairwise(history)] + [float("inf")]
    return [
        price["price_minor"]
        for price, end in zip(history, ends, strict=False)  # Of no prices, one end.
        if price["since"] <= at and end >= at - ASKED_BEFORE_S
    ]


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
                    f"an order's {name.removesuffix('_minor')} is not what its lines make it",
                    order_id,
                    books.trace_id_of(order_id),
                    expected=f"{shown(amount, order['currency'])} for {len(lines)} lines",
                    found=shown(order[name], order["currency"]),
                )
        for line in lines:
            valid = prices_at(books.prices.get(line["sku"], ()), order["placed_at"])
            if line["unit_price_minor"] not in valid:
                yield Violation(
                    "a product was sold at a price the catalog did not have",
                    order_id,
                    books.trace_id_of(order_id),
                    expected=" or ".join(shown(price, order["currency"]) for price in valid)
                    or "no sale: it had no price then",
                    found=shown(line["unit_price_minor"], order["currency"]),
                    about=f"SKU {line['sku']}",
                )
