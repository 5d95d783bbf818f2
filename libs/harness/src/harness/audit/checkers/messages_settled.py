"""No message is left, dead-lettered, lost or made up, but what was lost on purpose.

It cannot see an event that should have been told and never was written down.
"""

from collections.abc import Iterator
from uuid import UUID

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation

PLACED = "order.placed"
# Less than the seven days that a shop keeps what it sent; what it received, it keeps longer.
KEPT_FOR_S = 6 * 24 * 3600.0


def check(books: Books) -> Iterator[Violation]:
    for queue, depth in books.queues.items():
        if depth.pending:
            yield Violation(
                "messages are left on a queue",
                expected="none",
                found=f"{depth.visible} waiting, {depth.in_flight} in flight,"
                f" {depth.delayed} delayed",
                about=f"queue {queue}",
            )
        if depth.dead:
            yield Violation(
                "messages are dead: nobody could handle them",
                expected="none",
                found=f"{depth.dead} dead letters",
                about=f"queue {queue}; `cartwright redrive {queue}` shows why and sends them back",
            )
    yield from _published_and_received(books)


def _published_and_received(books: Books) -> Iterator[Violation]:
    sent: set[str] = set()
    for service, outbox in books.outboxes.items():
        for event in outbox:
            sent.add(event["event_id"])
            about = f"event {event['event_id']}"
            name = f"{service}'s {event['event_type']}"
            order_id = event["subject"] if event["subject"] in books.orders else None
            trace_id = books.trace_id_of(order_id) if order_id else None
            if event["event_type"] == PLACED and order_id is None:
                what = f"{name} tells of an order that does not exist"
                yield Violation(what, event["subject"], about=about, at=event["at"])
            if not event["published"]:
                yield Violation(
                    f"{name} was never published", order_id, trace_id, about=about, at=event["at"]
                )
                continue
            for consumer in books.consumers.get(event["event_type"], frozenset()):
                reached = event["event_id"] in books.inboxes.get(consumer, {})
                if not reached and event["event_id"] not in books.planted_loss:
                    what = f"{name} never reached {consumer}"
                    yield Violation(what, order_id, trace_id, about=about, at=event["at"])
    since = books.kept_since(KEPT_FOR_S)
    for consumer, received in books.inboxes.items():
        for event_id in received.keys() - sent:
            if _made_at(event_id) < since:
                continue
            what = f"{consumer} handled {received[event_id]} that nobody sent"
            yield Violation(what, about=f"event {event_id}")


def _made_at(event_id: str) -> float:
    """Seconds since the epoch; never over for an id that no shop of ours gave (RFC 9562, 5.7)."""
    try:
        id_ = UUID(event_id)
    except ValueError:
        return float("inf")
    return (id_.int >> 80) / 1000 if id_.version == 7 else float("inf")
