"""The ledger has one pair of entries for each move of money, and every payment stands as it does.

What moved is what the provider says: each capture, each refund. It cannot see what the provider
did not write down.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from harness.audit.books import Books, Row
from harness.audit.checkers.violation import Violation
from harness.audit.pricing import shown

# By which account a move of money is told apart; the other entry of its pair is the negative.
MOVES = {"provider_receivable": "capture", "refunds": "refund"}
FACTS = {"payment.captured": "capture", "payment.refunded": "refund"}
# Where it is called by another name there.
AT_PROVIDER = {"action_required": "requires_action"}
# Ours alone: a card that was refused unasked, an order that was cancelled before it was paid.
NEVER_THERE = frozenset({"declined", "voided"})


def check(books: Books) -> Iterator[Violation]:
    entries: dict[str, list[Row]] = defaultdict(list)
    for entry in books.ledger:
        entries[entry["order_id"]].append(entry)
    for order_id in (entries.keys() | books.provider_facts.keys()) & books.orders.keys():
        yield from _moves(books, order_id, entries[order_id])
    for order_id, those in entries.items():
        yield from _pairs(books, order_id, those)
    for order_id, payment in books.payments.items():
        yield from _standing(books, order_id, payment)


def _moves(books: Books, order_id: str, entries: list[Row]) -> Iterator[Violation]:
    made = Counter(
        (FACTS[fact["name"]], fact["amount_minor"])
        for fact in books.provider_facts.get(order_id, ())
        if fact["name"] in FACTS
    )
    kept = Counter(
        (MOVES[entry["account"]], entry["amount_minor"])
        for entry in entries
        if entry["account"] in MOVES
    )
    if made != kept:
        yield Violation(
            "the ledger has not one pair of entries for each move of money",
            order_id,
            books.trace_id_of(order_id),
            expected=_named(made, books.orders[order_id]["currency"]),
            found=_named(kept, books.orders[order_id]["currency"]),
        )


def _pairs(books: Books, order_id: str, entries: list[Row]) -> Iterator[Violation]:
    """Of whatever order, also of one that nobody knows."""
    sums: Counter[tuple[str | None, str]] = Counter()
    for entry in entries:
        sums[entry["refund_id"], entry["currency"]] += entry["amount_minor"]
    if any(sums.values()):
        yield Violation(
            "the two entries of a pair do not balance",
            order_id,
            books.trace_id_of(order_id),
            expected="0",
            found=" and ".join(shown(n, currency) for (_, currency), n in sums.items() if n),
        )


def _standing(books: Books, order_id: str, payment: Row) -> Iterator[Violation]:
    there = books.provider_payments.get(order_id, ())
    ours = AT_PROVIDER.get(payment["status"], payment["status"])
    if (ours not in NEVER_THERE) if not there else (ours != there[0]["status"]):
        yield Violation(
            "a payment does not stand where the provider has it",
            order_id,
            books.trace_id_of(order_id),
            expected=there[0]["status"] if there else " or ".join(sorted(NEVER_THERE)),
            found=payment["status"],
            about=f"payment {payment['id']}",
        )


def _named(moves: Counter[tuple[str, int]], currency: str) -> str:
    named = sorted(f"{kind} of {shown(amount, currency)}" for kind, amount in moves.elements())
    return ", ".join(named) or "none"
