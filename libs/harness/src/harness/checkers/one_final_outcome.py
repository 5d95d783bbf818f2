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
    """One order per basket: a shopper's key leads to one order, an order to one key.

    Two shoppers may choose the same key: it means something to its owner only.
    """
    keys = Counter((row["customer_id"], row["key"]) for row in books.orders.values() if row["key"])
    for (_, key), count in keys.items():
        if count > 1:
            yield Violation(f"{count} orders for the one key {key}")
    for order_id, order in books.orders.items():
        if not order["key"]:
            yield Violation("order without an idempotency key: nobody asked for it", order_id)


def _as_the_shopper_saw_it(
    books: Books, checkout: Checkout, of_its_key: str | None
) -> Iterator[Violation]:
    """ok: the order exists as told. refused: it does not. unknown: both are right.

    of_its_key: an order with the key of the basket, if there is one.
    """
    if checkout.outcome == "unknown":
        return
    if checkout.outcome == "refused":
        if of_its_key:
            yield Violation(
                f"basket {checkout.basket_id} was refused, yet there is an order",
                of_its_key,
                checkout.trace_id,
            )
        return
    order = books.orders.get(checkout.order_id or "")
    if order is None or order["key"] != checkout.key:
        yield Violation(
            f"basket {checkout.basket_id}: the shopper was given an order that does not exist",
            checkout.order_id,
            checkout.trace_id,
        )
        return
    if order["status"] != checkout.outcome:
        yield Violation(
            f"the shopper saw {checkout.outcome}, the order is {order['status']}",
            checkout.order_id,
            checkout.trace_id,
        )
    lines = books.order_lines.get(checkout.order_id or "", ())
    bought = {line["sku"]: line["quantity"] for line in lines}
    if bought != dict(checkout.lines):
        yield Violation(
            f"the order's {len(bought)} lines are not the basket's {len(checkout.lines)}",
            checkout.order_id,
            checkout.trace_id,
        )
