"""Every event that SNS took was written down as it was told, and each that is marked as told was.

It cannot see anything where the queues are not the embedded emulator's, whose journal it reads; nor
what was told before that began, or before what the outboxes still hold; nor what became of an event
that was lost or garbled on purpose.
"""

from collections.abc import Iterator, Mapping

from harness.audit.books import Books, Publishes, Row
from harness.audit.checkers.messages_settled import KEPT_FOR_S
from harness.audit.checkers.violation import Violation

# Of a digest: enough to tell two apart.
SHOWN = 12


def check(books: Books) -> Iterator[Violation]:
    if books.publishes is None:
        return
    written = {
        event["event_id"]: {**event, "service": service}
        for service, outbox in books.outboxes.items()
        for event in outbox
    }
    yield from _told(books, books.publishes, written)
    yield from _marked(books, books.publishes, written)


def _told(books: Books, publishes: Publishes, written: Mapping[str, Row]) -> Iterator[Violation]:
    # Before its first event it was another shop, with the same queues.
    first = min((event["at"] for event in written.values()), default=float("inf"))
    since = max(first, books.kept_since(KEPT_FOR_S))
    for told in publishes.rows:
        event_id = told.get("event_id", "")
        event_type = told.get("event_type", "message of no type")
        event = written.get(event_id)
        if event is None and told["at"] >= since:
            traceparent = told.get("traceparent", "")
            yield Violation(
                f"{event_type} was published, and nobody had written it down",
                trace_id=traceparent.partition("-")[2].partition("-")[0] or None,
                about=f"event {event_id or 'without an id'}, message {told['message_id']}"
                f" of {told['topic']}",
                at=told["at"],
            )
        if event is None or event_id in books.planted_loss:
            continue
        wanted, found = _shown(event["event_type"], event), _shown(event_type, told)
        if wanted != found:
            what = f"{_name(event)} was published otherwise than it was written down"
            yield _about(books, event, what, expected=wanted, found=found)


def _marked(books: Books, publishes: Publishes, written: Mapping[str, Row]) -> Iterator[Violation]:
    told = {row.get("event_id") for row in publishes.rows} | books.planted_loss
    for event_id, event in written.items():
        if not event["published"] or event_id in told:
            continue
        if publishes.since <= event["published_at"] <= publishes.until:
            yield _about(books, event, f"{_name(event)} is marked as published, and never was")


def _name(event: Row) -> str:
    return f"{event['service']}'s {event['event_type']}"


def _shown(event_type: str, row: Row) -> str:
    return f"{event_type}, SHA-256 {row['digest'][:SHOWN]}…"


def _about(
    books: Books, event: Row, what: str, *, expected: str = "", found: str = ""
) -> Violation:
    order_id = event["subject"] if event["subject"] in books.orders else None
    return Violation(
        what,
        order_id,
        books.trace_id_of(order_id) if order_id else None,
        expected,
        found,
        f"event {event['event_id']}",
        event["at"],
    )
