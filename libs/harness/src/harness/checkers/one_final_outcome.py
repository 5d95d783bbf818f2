"""Every basket has exactly one final outcome, and the shopper was told the truth about it."""

from collections import Counter
from collections.abc import Iterator

from harness.books import Books, Checkout
from harness.checkers.violation import Violation

FINAL = frozenset({"confirmed", "cancelled"})


def check(books: Books) -> Iterator[Violation]:
    yield from _no_order_for_two_baskets(books)
    by_key = {row["key"]: order_id for order_id, row in books.orders.items() if row["key"]}
    for checkout in books.checkouts:
        yield from _as_the_shopper_saw_it(books, checkout, by_key.get(checkout.key))
    for order_id, order in books.orders.items():
        if order["status"] not in FINAL:
            yield Violation(
                f"order is still {order['status']}", order_id, books.trace_id_of(order_id)
            )
        elif not (order["stock_settled"] and order["payment_settled"]):
            open_ = [s for s in ("stock", "payment") if not order[f"{s}_settled"]]
            yield Violation(
                f"{order['status']} order waits for {' and '.join(open_)}",
                order_id,
                books.trace_id_of(order_id),
            )


def _no_order_for_two_baskets(books: Books) -> Iterator[Violation]:
    """One order per basket: a shopper's key leads to one order, an order to one key."""
    keys = Counter(row["key"] for row in books.orders.values() if row["key"])
    for key, count in keys.items():
        if count > 1:
            yield Violation(f"{count} orders for the one key {key}")
    for order_id, order in books.orders.items():
        if not order["key"]:
            yield Violation("order without an idempotency key: nobody asked for it", order_id)


def _as_the_shopper_saw_it(
    books: Books, checkout: Checkout, order_id: str | None
) -> Iterator[Violation]:
    """ok: the order exists as told. refused: it does not. unknown: both are right."""
    if checkout.outcome == "unknown":
        return
    if checkout.outcome == "refused":
        if order_id:
            yield Violation(
                f"basket {checkout.basket_id} was refused, yet there is an order",
                order_id,
                checkout.trace_id,
            )
        return
    if order_id is None or order_id != checkout.order_id:
        yield Violation(
            f"basket {checkout.basket_id}: the shopper was given an order that does not exist",
            checkout.order_id,
            checkout.trace_id,
        )
        return
    order = books.orders[order_id]
    if order["status"] != checkout.outcome:
        yield Violation(
            f"the shopper saw {checkout.outcome}, the order is {order['status']}",
            order_id,
            checkout.trace_id,
        )
    bought = {line["sku"]: line["quantity"] for line in books.order_lines.get(order_id, ())}
    if bought != dict(checkout.lines):
        yield Violation(
            f"the order's {len(bought)} lines are not the basket's {len(checkout.lines)}",
            order_id,
            checkout.trace_id,
        )
