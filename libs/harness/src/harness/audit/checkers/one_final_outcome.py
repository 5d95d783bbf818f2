"""Every checkout has exactly one final outcome, and the shopper was told the truth about it.

It cannot see whether the end was the right one, e.g. that a good card was declined.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from harness.audit.books import UNKNOWN, Books, Checkout
from harness.audit.checkers.violation import Violation

FINAL = frozenset({"confirmed", "cancelled"})
# Outcomes that leave no order, and what is wrong if there is one.
WITHOUT_ORDER = {
    "refused": "the shopper was told no, and there is an order",
    "abandoned": "the shopper left without ordering, and there is an order",
}


def check(books: Books) -> Iterator[Violation]:
    yield from _no_order_for_two_checkouts(books)
    by_key = {row["key"]: order_id for order_id, row in books.orders.items() if row["key"]}
    by_customer = {row["customer_id"]: order_id for order_id, row in books.orders.items()}
    for checkout in books.checkouts:
        theirs = by_key.get(checkout.key)
        if checkout.outcome == "abandoned":  # No key was sent: an order of theirs has another.
            theirs = by_customer.get(checkout.customer_id)
        yield from _as_the_shopper_saw_it(books, checkout, theirs)
    for order_id, order in books.orders.items():
        if order["status"] not in FINAL:
            yield Violation(
                "an order was never decided",
                order_id,
                books.trace_id_of(order_id),
                expected="confirmed or cancelled",
                found=order["status"],
            )
        elif not (order["stock_settled"] and order["payment_settled"]):
            open_ = [s for s in ("stock", "payment") if not order[f"{s}_settled"]]
            yield Violation(
                "an order was decided, and not everybody has answered",
                order_id,
                books.trace_id_of(order_id),
                expected="stock and payment settled",
                found=f"{order['status']}, waiting for {' and '.join(open_)}",
            )


def _no_order_for_two_checkouts(books: Books) -> Iterator[Violation]:
    """One order per checkout: a shopper's key leads to one order, an order to one key.

    Two shoppers may choose the same key: it means something to its owner only.
    """
    keys = Counter((row["customer_id"], row["key"]) for row in books.orders.values() if row["key"])
    for (_, key), count in keys.items():
        if count > 1:
            yield Violation(
                "one Idempotency-Key made several orders",
                expected="1 order",
                found=f"{count} orders",
                about=f"key {key}",
            )
    for order_id, order in books.orders.items():
        if not order["key"]:
            yield Violation("an order without an Idempotency-Key: nobody asked for it", order_id)


def _as_the_shopper_saw_it(
    books: Books, checkout: Checkout, theirs: str | None
) -> Iterator[Violation]:
    """ok: the order exists as told. refused, abandoned: it does not. unknown: both are right, but
    where an order was promised, and only its end was never heard of.

    theirs: an order that can only be of this checkout, if there is one.
    """
    if checkout.outcome == UNKNOWN and checkout.order_id is None:
        return
    if checkout.outcome in WITHOUT_ORDER:
        if theirs:
            yield Violation(
                WITHOUT_ORDER[checkout.outcome],
                theirs,
                checkout.trace_id,
                expected="no order",
                found="an order",
                about=f"basket {checkout.basket_id}, key {checkout.key}",
            )
        return
    order = books.orders.get(checkout.order_id or "")
    if order is None or order["key"] != checkout.key:
        yield Violation(
            "the shopper was given an order that does not exist",
            checkout.order_id,
            checkout.trace_id,
            expected="the order in the books",
            found="another's" if order else "nothing",
            about=f"basket {checkout.basket_id}, key {checkout.key}",
        )
        return
    if checkout.outcome not in (UNKNOWN, order["status"]):
        yield Violation(
            "the shopper was told another end than the books tell",
            checkout.order_id,
            checkout.trace_id,
            expected=f"{checkout.outcome}, as the shopper saw it",
            found=order["status"],
        )
    lines = books.order_lines.get(checkout.order_id or "", ())
    bought = {line["sku"]: line["quantity"] for line in lines}
    if bought != dict(checkout.lines):
        yield Violation(
            "the order's lines are not the basket's",
            checkout.order_id,
            checkout.trace_id,
            expected=_lines(dict(checkout.lines), bought),
            found=_lines(bought, dict(checkout.lines)),
            about=f"basket {checkout.basket_id}",
        )


def _lines(lines: Mapping[str, int], others: Mapping[str, int]) -> str:
    """What *lines* has that *others* has not so: the rest would hide it."""
    own = [f"{count} × {sku}" for sku, count in sorted(lines.items()) if others.get(sku) != count]
    return f"{len(lines)} lines with {', '.join(own) or 'nothing of its own'}"
