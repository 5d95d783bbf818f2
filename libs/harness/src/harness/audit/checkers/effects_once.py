"""Every event of a checkout took effect once at each of its consumers, however often it came.

It cannot see an effect whose span went with a killed process, nor what happened without a span.
"""

from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation


def check(books: Books) -> Iterator[Violation]:
    for checkout in books.checkouts:
        trace = books.traces.get(checkout.trace_id)
        for (service, event_id), spans in trace.applied().items() if trace else ():
            if len(spans) > 1:
                yield Violation(
                    f"{service} let one event take effect several times: {spans[0].name}",
                    checkout.order_id,
                    checkout.trace_id,
                    expected="once",
                    found=f"{len(spans)} times",
                    about=f"event {event_id}",
                )
