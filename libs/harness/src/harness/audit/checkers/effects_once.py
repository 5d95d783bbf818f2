"""Every event of a checkout took effect once at each of its consumers, however often it came.

It cannot see an effect whose span went with a killed process, nor what happened without a span.
"""

from collections import Counter
from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation
from harness.traces.conventions import EFFECT, EFFECT_APPLIED, EVENT_ID


def check(books: Books) -> Iterator[Violation]:
    for checkout in books.checkouts:
        trace = books.traces.get(checkout.trace_id)
        applied = Counter(
            (span.service, span.name, str(span.attributes.get(EVENT_ID)))
            for span in (trace.spans if trace else ())
            if span.attributes.get(EFFECT) == EFFECT_APPLIED
        )
        for (service, name, event_id), count in applied.items():
            if count > 1:
                yield Violation(
                    f"{service} let one event take effect several times: {name}",
                    checkout.order_id,
                    checkout.trace_id,
                    expected="once",
                    found=f"{count} times",
                    about=f"event {event_id}",
                )
