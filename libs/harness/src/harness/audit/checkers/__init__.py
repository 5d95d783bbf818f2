"""The invariants of a run, one small file each. Every checker is a function of the books.

`check(books)` yields what is wrong; nothing yielded means the invariant held. To add one,
write its file and name it in CHECKERS.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.audit.books import Books
from harness.audit.checkers import (
    legal_history,
    messages_settled,
    money_matches,
    one_final_outcome,
    one_mail_an_order,
    price_integrity,
    reservation_follows_order,
    returns_settled,
    stock_adds_up,
    traces_complete,
)
from harness.audit.checkers.violation import Violation

Check = Callable[[Books], Iterable[Violation]]


@dataclass(frozen=True, slots=True)
class Checker:
    """name: as the report shows it. promise: the sentence that must hold."""

    name: str
    promise: str
    check: Check


CHECKERS = tuple(
    Checker(module.__name__.rpartition(".")[2], (module.__doc__ or "").split("\n")[0], module.check)
    for module in (
        one_final_outcome,
        legal_history,
        price_integrity,
        stock_adds_up,
        reservation_follows_order,
        money_matches,
        returns_settled,
        one_mail_an_order,
        messages_settled,
        traces_complete,
    )
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one checker found. Held when `violations` is empty."""

    checker: Checker
    violations: tuple[Violation, ...]


def audit(books: Books) -> list[Finding]:
    """Every checker over the same frozen books, in the order of CHECKERS."""
    return [Finding(checker, tuple(checker.check(books))) for checker in CHECKERS]


__all__ = ["CHECKERS", "Checker", "Finding", "Violation", "audit"]
