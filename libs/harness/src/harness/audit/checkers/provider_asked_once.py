"""The payment provider was asked for what payment had written down, each with one key.

It cannot see what never reached the provider. A void may be written down anew: of voids only
their number is judged.
"""

from collections import defaultdict
from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation

COMMANDS = {
    "payment.authorize": "authorize",
    "payment.capture": "capture",
    "payment.void": "void",
    "payment.refund": "refund",
}
# Of these an order has one at the most, whatever happens to it.
ONCE = frozenset({"authorize", "capture", "void"})
# The key of these is their own id in payment's book, which is there before the provider hears.
WRITTEN_DOWN = frozenset({"authorize", "capture", "refund"})


def check(books: Books) -> Iterator[Violation]:
    for reference, calls in books.provider_calls.items():
        if reference not in books.orders:
            continue  # Somebody else's, e.g. the self-test's; money is judged by `money_matches`.
        keys: dict[str, set[str]] = defaultdict(set)
        for call in calls:
            if call["name"] in COMMANDS:
                keys[COMMANDS[call["name"]]].add(str(call.get("idempotency_key")))
        for kind, used in keys.items():
            if kind in ONCE and len(used) > 1:
                yield Violation(
                    f"the provider was asked to {kind} with several keys: each is another wish",
                    reference,
                    books.trace_id_of(reference),
                    expected="1 Idempotency-Key",
                    found=f"{len(used)}: {', '.join(sorted(used))}",
                )
            written = {row["id"] for row in books.asked.get(reference, ()) if row["kind"] == kind}
            if kind in WRITTEN_DOWN and used - written:
                yield Violation(
                    f"the provider was asked to {kind}, and payment had not written that down",
                    reference,
                    books.trace_id_of(reference),
                    expected=", ".join(sorted(written)) or "no such call",
                    found=", ".join(sorted(used - written)),
                )
