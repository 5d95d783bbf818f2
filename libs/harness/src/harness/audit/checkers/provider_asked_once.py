"""The payment provider was asked for each thing once: all tries of it had the same key.

It cannot see what never reached the provider, nor refunds, of which an order may have several:
their sums are judged by `money_matches`.
"""

from collections import defaultdict
from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation

# Of which an order has one at the most, whatever happens to it.
ONCE = {"payment.authorize": "authorize", "payment.capture": "capture", "payment.void": "void"}


def check(books: Books) -> Iterator[Violation]:
    for reference, calls in books.provider_calls.items():
        if reference not in books.orders:
            continue  # Somebody else's, e.g. the self-test's; money is judged by `money_matches`.
        keys: dict[str, set[str]] = defaultdict(set)
        for call in calls:
            if call["name"] in ONCE:
                keys[ONCE[call["name"]]].add(str(call.get("idempotency_key")))
        for name, used in keys.items():
            if len(used) > 1:
                yield Violation(
                    f"the provider was asked to {name} with several keys: each is another wish",
                    reference,
                    books.trace_id_of(reference),
                    expected="1 Idempotency-Key",
                    found=f"{len(used)}: {', '.join(sorted(used))}",
                )
