"""What was bought left its shopper's cart, and what was not bought stayed in it.

It cannot see the carts of who ordered more than once: which visit left what there nobody knows.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation


def check(books: Books) -> Iterator[Violation]:
    orders = Counter(order["customer_id"] for order in books.orders.values())
    # Whose cart it is that a visit without an order has left something in, nobody knows.
    unclear = {checkout.shopper for checkout in books.checkouts if not checkout.order_id}
    for checkout in books.checkouts:
        order = books.orders.get(checkout.order_id or "")
        if order is None or checkout.shopper in unclear or orders[order["customer_id"]] > 1:
            continue
        cart = books.carts.get(order["customer_id"], {})
        wanted = {} if order["status"] == "confirmed" else dict(checkout.lines)
        if dict(cart) != wanted:
            yield Violation(
                f"the cart of a {order['status']} order is not what was left to buy",
                checkout.order_id,
                checkout.trace_id,
                expected=_told(wanted),
                found=_told(cart),
            )


def _told(lines: Mapping[str, int]) -> str:
    return ", ".join(f"{count} × {sku}" for sku, count in sorted(lines.items())) or "nothing"
