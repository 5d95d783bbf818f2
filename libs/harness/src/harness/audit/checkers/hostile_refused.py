"""Whoever tried what nobody may was refused, each time.

It cannot see what nobody tried, nor whether a refusal did it all the same: the other books tell.
"""

from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation
from harness.shopper.history import ATTEMPT, Outcome


def check(books: Books) -> Iterator[Violation]:
    for operation in books.operations:
        if operation.kind == ATTEMPT and operation.outcome is Outcome.OK:
            yield Violation(
                f"somebody could {operation.detail}",
                expected="4xx",
                found=str(operation.status),
                about=f"{operation.shopper}, customer {operation.customer_id}",
                at=operation.started_at,
            )
