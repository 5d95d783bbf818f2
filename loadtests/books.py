"""What a load run did to the shop's books: settled, read and judged as the simulator does it."""

from collections.abc import Sequence
from dataclasses import replace

from harness import stack
from harness.audit.books import Books, BooksUnread, Checkout
from harness.audit.checkers import audit
from harness.audit.checkers.violation import grouped
from harness.audit.reader import read_books
from harness.audit.settlement import wait_until_settled
from harness.process.endpoints import Endpoints
from simulators.checkout.results import apart
from simulators.checkout.run import SETTLE_WITHIN_S

# These shoppers send no spans and tell nothing of what they did, and those look at nothing else.
NOT_JUDGED = ("effects_once", "hostile_refused", "read_your_writes", "traces_complete")
# This one looks at all but who cancelled.
JUDGED_IN_PART = "ended_for_a_reason"


def violations(shop: Endpoints, checkouts: Sequence[Checkout], since: float) -> list[str]:
    """A sentence for each kind of what is wrong with the orders placed from *since* on.

    Books that cannot be read are one of these: nobody knows what they would have shown.
    """
    described = stack.topology()
    try:
        left = wait_until_settled(shop, SETTLE_WITHIN_S)
        books = read_books(shop, described, (), (), since=since)
    except BooksUnread as error:
        return [f"not judged: {error}"]
    unsettled = [f"not settled: {left}"] if left else []
    return [*unsettled, *judged(replace(books, checkouts=checkouts), since)]


def judged(books: Books, since: float) -> list[str]:
    findings, _ = apart(audit(books), books, since)
    return [
        f"{finding.checker.name}: {group.what} ×{len(group.violations)};"
        f" the first: {group.first.values} {group.first.order_id or ''}".rstrip()
        for finding in findings
        if finding.checker.name not in NOT_JUDGED
        for group in grouped(finding.violations)
    ]


def holds(checkouts: Sequence[Checkout]) -> str:
    """What to tell when nothing is broken, with what nobody looked at."""
    # With `--processes` the master's shoppers are none.
    right = f"{len(checkouts)} baskets right"
    without = "books right, judged without what shoppers saw"
    return (
        f"holds: figures within their limits, {right if checkouts else without};"
        f" not judged: {', '.join(NOT_JUDGED)}, and of {JUDGED_IN_PART} who cancelled"
    )
