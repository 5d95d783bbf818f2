"""No message is left, dead-lettered, lost or made up."""

from collections.abc import Iterator

from harness.books import Books
from harness.checkers.violation import Violation


def check(books: Books) -> Iterator[Violation]:
    for queue, depth in books.queues.items():
        if depth.pending:
            yield Violation(
                f"{queue}: {depth.visible} waiting, {depth.in_flight} in flight,"
                f" {depth.delayed} delayed"
            )
        if depth.dead:
            yield Violation(f"{queue}: {depth.dead} in its dead-letter queue")
    yield from _published_and_received(books)


def _published_and_received(books: Books) -> Iterator[Violation]:
    sent: set[str] = set()
    for service, outbox in books.outboxes.items():
        for event in outbox:
            sent.add(event["event_id"])
            where = f"{service}'s {event['event_type']} {event['event_id']}"
            order_id = event["subject"] if event["subject"] in books.orders else None
            trace_id = books.trace_id_of(order_id) if order_id else None
            if not event["published"]:
                yield Violation(f"{where} was never published", order_id, trace_id)
                continue
            for consumer in books.consumers.get(event["event_type"], frozenset()):
                if event["event_id"] not in books.inboxes.get(consumer, {}):
                    yield Violation(f"{where} never reached {consumer}", order_id, trace_id)
    for consumer, received in books.inboxes.items():
        for event_id in received.keys() - sent:
            yield Violation(f"{consumer} handled {received[event_id]} {event_id}; nobody sent it")
