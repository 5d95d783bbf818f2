"""Every event took effect once at each of its consumers, and what follows from it was told once.

It cannot see an effect whose span went with a killed process, nor what happened without a span.
"""

from collections import defaultdict
from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation
from harness.traces.causality import Trace
from harness.traces.conventions import EVENT_ID
from harness.traces.spans import Kind


def check(books: Books) -> Iterator[Violation]:
    for checkout in books.checkouts:
        trace = books.traces.get(checkout.trace_id)
        for what, count, event_id in _repeated(trace) if trace else ():
            yield Violation(
                what,
                checkout.order_id,
                checkout.trace_id,
                expected="once",
                found=f"{count} times",
                about=f"event {event_id}",
            )


def _repeated(trace: Trace) -> Iterator[tuple[str, int, str]]:
    for (service, event_id), spans in trace.applied().items():
        if len(spans) > 1:
            name = spans[0].name
            yield f"{service} let one event take effect several times: {name}", len(spans), event_id
    for (service, name, event_id), deliveries in _followed(trace).items():
        if len(deliveries) > 1:
            what = f"{service} told what follows from one event several times: {name}"
            yield what, len(deliveries), event_id


def _followed(trace: Trace) -> dict[tuple[str, str, str], set[str]]:
    """By consumer, step and event: the deliveries that events of its own came out of.

    Whatever becomes of a delivery, what it wrote down to be told goes the same way: of two that
    both told something, one was undone and told it all the same.
    """
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for span in trace.find(kind=Kind.PRODUCER):
        delivery = trace.by_key.get(span.parent_key) if span.parent_key else None
        if delivery and delivery.kind is Kind.CONSUMER and EVENT_ID in delivery.attributes:
            key = (delivery.service, delivery.name, str(delivery.attributes[EVENT_ID]))
            found[key].add(delivery.span_id)
    return found
