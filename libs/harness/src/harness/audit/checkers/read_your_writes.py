"""Shoppers found what they had just done; no end of an order was taken back, no cart written over.

It cannot see what no shopper looked at.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation
from harness.shopper.history import Operation, Outcome

NOT_FOUND = 404
CART = frozenset({"read_cart", "fill_cart"})
FINAL = frozenset({"confirmed", "cancelled"})


def check(books: Books) -> Iterator[Violation]:
    by_order: dict[str, list[Operation]] = defaultdict(list)
    by_key: dict[tuple[str, str], set[str]] = defaultdict(set)
    by_cart: dict[str, list[Operation]] = defaultdict(list)
    for operation in books.operations:
        if operation.kind in CART and operation.version is not None:
            by_cart[operation.customer_id].append(operation)
        if operation.order_id:
            by_order[operation.order_id].append(operation)
            if operation.key and operation.kind == "place_order":
                by_key[operation.shopper, operation.key].add(operation.order_id)
    for operations in by_order.values():
        yield from _one_order(operations)
    for operations in by_cart.values():
        yield from _one_cart(operations)
    for (_, key), order_ids in by_key.items():
        if len(order_ids) > 1:
            yield Violation(
                "the same key was answered with several orders",
                min(order_ids),
                expected="the same order each time",
                found=", ".join(sorted(order_ids)),
                about=f"key {key}",
            )


def _one_order(operations: Sequence[Operation]) -> Iterator[Violation]:
    """By what is certain: one operation was over before the other began (Jepsen's real time)."""
    placed = [op for op in operations if op.kind == "place_order" and op.outcome is Outcome.OK]
    ends = [op for op in operations if op.order_status in FINAL]
    for later in operations:
        if later.status == NOT_FOUND and any(_before(op, later) for op in placed):
            yield _violation("a shopper did not find the order they had placed", later, "the order")
        told = {op.order_status for op in ends if _before(op, later)}
        if later.order_status and told - {later.order_status}:
            told_before = " and ".join(sorted(map(str, told - {later.order_status})))
            yield _violation("the end of an order was taken back", later, told_before)


def _one_cart(operations: Sequence[Operation]) -> Iterator[Violation]:
    """A write that says which version it is meant for is refused if its shopper knows a newer one.

    What a cart is read as says less: a copy of it may be a minute old (ADR-0011).
    """
    for write in operations:
        known = [op.version or 0 for op in operations if _before(op, write)]
        if write.if_match is not None and max(known, default=0) > write.if_match:
            yield Violation(
                "a cart was written over by a window that showed it as it had been",
                trace_id=write.trace_id,
                expected=f"a refusal, as version {max(known)} was known",
                found=f"version {write.version}, meant for version {write.if_match}",
            )


def _before(one: Operation, other: Operation) -> bool:
    return one.finished_at < other.started_at


def _violation(what: str, operation: Operation, expected: str) -> Violation:
    return Violation(
        what,
        operation.order_id,
        operation.trace_id,
        expected=expected,
        found=operation.order_status or f"{operation.status}",
    )
