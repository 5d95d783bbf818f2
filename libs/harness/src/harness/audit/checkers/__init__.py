"""The invariants of a run, one small file each. Every checker is a function of the books.

`check(books)` yields what is wrong; nothing yielded means the invariant held. To add one,
write its file and name it in CHECKERS.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.audit.books import Books
from harness.audit.checkers import (
    answers_kept,
    cart_follows_order,
    effects_once,
    ended_for_a_reason,
    hostile_refused,
    ledger_in_pairs,
    legal_history,
    mails_name_sums,
    messages_settled,
    money_matches,
    one_final_outcome,
    one_mail_an_order,
    price_integrity,
    provider_asked_once,
    published_as_written,
    read_your_writes,
    reservation_follows_order,
    returns_settled,
    stock_adds_up,
    stock_in_sequence,
    traces_complete,
    webhooks_kept,
)
from harness.audit.checkers.violation import Violation

BLIND = "It cannot see "

Check = Callable[[Books], Iterable[Violation]]


@dataclass(frozen=True, slots=True)
class Checker:
    """name: as the report shows it. promise: the sentence that must hold.

    blind_to: what is wrong and does not break it, as the module says after "It cannot see".
    """

    name: str
    promise: str
    blind_to: str
    check: Check


def _checker(name: str, document: str, check: Check) -> Checker:
    """From the module's name, its docstring and its function."""
    promise, _, rest = document.partition("\n")
    blind_to = " ".join(rest.partition(BLIND)[2].partition("\n\n")[0].split()).replace("`", "")
    return Checker(name.rpartition(".")[2], promise, blind_to, check)


CHECKERS = tuple(
    _checker(module.__name__, module.__doc__ or "", module.check)
    for module in (
        one_final_outcome,
        read_your_writes,
        legal_history,
        ended_for_a_reason,
        answers_kept,
        hostile_refused,
        price_integrity,
        stock_adds_up,
        stock_in_sequence,
        reservation_follows_order,
        money_matches,
        ledger_in_pairs,
        provider_asked_once,
        webhooks_kept,
        returns_settled,
        one_mail_an_order,
        mails_name_sums,
        cart_follows_order,
        messages_settled,
        published_as_written,
        effects_once,
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
