"""The answer kept under a shopper's key names that key's order, and no order was placed without.

It cannot see the answers to keys of more than three days ago, which are forgotten.
"""

from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation

# Less than the 72 h that the shop keeps them, counted back from its latest order.
KEPT_FOR_S = 71 * 3600.0


def check(books: Books) -> Iterator[Violation]:
    answers = {(row["subject"], row["key"]): row for row in books.answers}
    now = max((order["placed_at"] for order in books.orders.values()), default=0.0)
    for order_id, order in books.orders.items():
        answer = answers.pop((order["customer_id"], order["key"]), None)
        named = answer["order_id"] if answer else None
        is_due = answer is not None or order["placed_at"] > now - KEPT_FOR_S
        if order["key"] and is_due and named != order_id:
            yield Violation(
                "the answer to a key is not the order it placed",
                order_id,
                books.trace_id_of(order_id),
                expected=f"/orders/{order_id}",
                found=f"/orders/{named}"
                if named
                else "an answer that names none"
                if answer
                else "no answer",
                about=f"key {order['key']}",
            )
    for (_, key), answer in answers.items():
        yield Violation(
            "a key was answered with an order that does not exist",
            answer["order_id"],
            expected="no answer, as there is no order",
            found=f"{answer['status'] or 'no status'}",
            about=f"key {key}",
        )
