"""The answer kept under a shopper's key names that key's order, and no order was placed without.

It cannot see the answers to keys of more than three days ago, which are forgotten.
"""

from collections.abc import Iterator

from harness.audit.books import Books, Row
from harness.audit.checkers.violation import Violation

# Less than the 72 h that the shop keeps them.
KEPT_FOR_S = 71 * 3600.0


def check(books: Books) -> Iterator[Violation]:
    answers = {(row["subject"], row["key"]): row for row in books.answers}
    since = books.kept_since(KEPT_FOR_S)
    for order_id, order in books.orders.items():
        answer = answers.pop((order["customer_id"], order["key"]), None)
        is_due = answer is not None or order["placed_at"] > since
        if order["key"] and is_due and _named(answer) != order_id:
            yield Violation(
                "the answer to a key is not the order it placed",
                order_id,
                books.trace_id_of(order_id),
                expected=f"/orders/{order_id}",
                found=_told(answer),
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


def _named(answer: Row | None) -> str | None:
    return answer["order_id"] if answer else None


def _told(answer: Row | None) -> str:
    if answer is None:
        return "no answer"
    return f"/orders/{_named(answer)}" if _named(answer) else "an answer that names none"
