"""A confirmed order's stock is committed, a cancelled order's not held; it was what was ordered.

It cannot see when stock was let go, only that it was.
"""

from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation, listed

# What each final order allows its reservation to be; None is no reservation at all.
ALLOWED: dict[str, set[str | None]] = {
    "confirmed": {"committed"},
    "cancelled": {"released", "rejected", None},
}


def check(books: Books) -> Iterator[Violation]:
    for order_id, order in books.orders.items():
        allowed = ALLOWED.get(order["status"])
        state = books.reservations.get(order_id)
        if allowed is not None and state not in allowed:
            may_be = " or ".join(sorted(map(_name, allowed)))
            yield Violation(
                f"a {order['status']} order's stock is not {may_be}",
                order_id,
                books.trace_id_of(order_id),
                expected=may_be,
                found=_name(state),
            )
        ordered, reserved = (
            {line["sku"]: line["quantity"] for line in lines.get(order_id, ())}
            for lines in (books.order_lines, books.reservation_lines)
        )
        if reserved and reserved != ordered:
            yield Violation(
                "other goods were reserved for an order than it has",
                order_id,
                books.trace_id_of(order_id),
                expected=listed(ordered),
                found=listed(reserved),
            )
    for order_id in books.reservations.keys() - books.orders.keys():
        yield Violation("stock is reserved for an order that does not exist", order_id)


def _name(state: str | None) -> str:
    return state or "not reserved"
