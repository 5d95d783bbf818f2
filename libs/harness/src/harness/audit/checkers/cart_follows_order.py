"""What was bought left its shopper's cart, and what was not bought stayed in it.

It cannot see the carts of who brought several baskets: which visit left what there nobody knows.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from harness.audit.books import Books, Checkout
from harness.audit.checkers.violation import Violation, listed


def check(books: Books) -> Iterator[Violation]:
    ordered: dict[str, set[str]] = defaultdict(set)
    for order_id, order in books.orders.items():
        ordered[order["customer_id"]].add(order_id)
    # Whose cart it is that they have left something in, nobody knows.
    unclear = {c.shopper for c in books.checkouts if not (c.order_id or c.customer_id)}
    for customer_id, checkouts in _by_customer(books).items():
        known = {checkout.order_id for checkout in checkouts}
        baskets = {checkout.basket_id for checkout in checkouts}
        is_clear = len(baskets) == 1 and ordered[customer_id] <= known
        if is_clear and not unclear & {checkout.shopper for checkout in checkouts}:
            statuses = [books.orders[order_id]["status"] for order_id in ordered[customer_id]]
            yield from _one_cart(checkouts, statuses, books.carts.get(customer_id, {}))


def _by_customer(books: Books) -> Mapping[str, Sequence[Checkout]]:
    found: dict[str, list[Checkout]] = defaultdict(list)
    for checkout in books.checkouts:
        order = books.orders.get(checkout.order_id or "")
        if customer_id := order["customer_id"] if order else checkout.customer_id:
            found[customer_id].append(checkout)
    return found


def _one_cart(
    checkouts: Sequence[Checkout], statuses: Sequence[str], cart: Mapping[str, int]
) -> Iterator[Violation]:
    """checkouts: all of one customer's, of one basket. statuses: of the orders it became.

    Of several orders, the one that is confirmed takes all of the basket out of the cart.
    """
    checkout = checkouts[-1]
    if not statuses and checkout.outcome != "abandoned":
        return  # Nobody knows whether it was filled.
    end = "confirmed" if "confirmed" in statuses else [*statuses, checkout.outcome][0]
    wanted = {} if end == "confirmed" else dict(checkout.lines)
    if dict(cart) != wanted:
        yield Violation(
            f"the cart of a basket that ended {end} is not what was left to buy",
            checkout.order_id,
            checkout.trace_id,
            expected=listed(wanted),
            found=listed(cart),
        )
