"""Shoppers found what they had just done, and no end of an order was ever taken back.

It cannot see what no shopper looked at.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation
from harness.shopper.history import Operation, Outcome

NOT_FOUND = 404
FINAL = frozenset({"confirmed", "cancelled"})


def check(books: Books) -> Iterator[Violation]:
    by_order: dict[str, list[Operation]] = defaultdict(list)
    by_key: dict[tuple[str, str], set[str]] = defaultdict(set)
    for operation in books.operations:
        if operation.order_id:
            by_order[operation.order_id].append(operation)
            if operation.key and operation.kind == "place_order":
                by_key[operation.shopper, operation.key].add(operation.order_id)
    for operations in by_order.values():
        yield from _one_order(operations)
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
