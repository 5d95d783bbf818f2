"""Every order ended for a reason that is true, and was confirmed only when all had agreed.

It cannot see a decision of before its events were forgotten, nor whom the shop kept waiting
for less than a minute. Who cancelled is asked of shoppers that told what they did.
"""

from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation
from harness.shopper.history import Outcome

# What the order service must have heard before it may say so: one of these.
HEARD = {
    "confirmed": {"payment.authorized"},
    "out_of_stock": {"stock.rejected"},
    "payment_declined": {"payment.declined", "payment.voided"},
    "customer_cancelled": {"payment.voided"},
    "deadline_exceeded": {"payment.voided"},
}
PLACED, GIVEN_UP = "order.placed", "order.cancellation_requested"
# What the provider says of a card that it did not refuse.
TAKEN = frozenset({"payment.authorized", "payment.captured"})
# Twice as long as the shop waits, at its own pace, before it asks again.
ASKED_AGAIN_WITHIN_S = 60.0


def check(books: Books) -> Iterator[Violation]:
    said, heard = _said(books), _heard(books)
    for order_id, order in books.orders.items():
        end = order["cancel_reason"] or order["status"]
        if PLACED in said.get(order_id, {}) and end in HEARD and not HEARD[end] & heard[order_id]:
            yield _violation(
                books,
                order_id,
                f"an order ended as {_words(end)}, and nobody had said so",
                expected=" or ".join(sorted(HEARD[end])),
                found=", ".join(sorted(heard[order_id])) or "nothing heard of it",
            )
        if end == "out_of_stock":
            yield from _want_of_goods(books, order_id)
        if end == "payment_declined":
            yield from _refusal_of_the_card(books, order_id)
        if end == "deadline_exceeded":
            yield from _nobody_asked_again(books, order_id, said.get(order_id, {}))
    yield from _nobody_cancelled(books)


def _said(books: Books) -> dict[str, dict[str, list[float]]]:
    """By order and type of event: when the order service said so."""
    said: dict[str, dict[str, list[float]]] = {}
    for event in books.outboxes.get("order", ()):
        of_order = said.setdefault(event["subject"], {})
        of_order.setdefault(event["event_type"], []).append(event["at"])
    return said


def _heard(books: Books) -> dict[str, set[str]]:
    """By order: the types of events that the order service took in."""
    taken_in = books.inboxes.get("order", {})
    heard: dict[str, set[str]] = {order_id: set() for order_id in books.orders}
    for service in ("inventory", "payment"):
        for event in books.outboxes.get(service, ()):
            if event["event_id"] in taken_in and event["subject"] in heard:
                heard[event["subject"]].add(event["event_type"])
    return heard


def _want_of_goods(books: Books, order_id: str) -> Iterator[Violation]:
    """Something was missing if of one line there was less than it wanted, once meanwhile."""
    lines = books.missing.get(order_id, ())
    if lines and all(line["free"] >= line["requested"] for line in lines):
        enough = ", ".join(f"{line['free']} × {line['sku']}" for line in lines)
        yield _violation(
            books,
            order_id,
            "an order was cancelled for want of goods that were there all the time",
            expected=" or ".join(
                f"less than {line['requested']} × {line['sku']}" for line in lines
            ),
            found=f"never less than {enough}",
        )


def _refusal_of_the_card(books: Books, order_id: str) -> Iterator[Violation]:
    facts = [fact["name"] for fact in books.provider_facts.get(order_id, ())]
    if TAKEN.intersection(facts):
        yield _violation(
            books,
            order_id,
            "an order was cancelled for a card that the provider took",
            expected="payment.declined",
            found=", ".join(facts),
        )


def _nobody_asked_again(
    books: Books, order_id: str, said: dict[str, list[float]]
) -> Iterator[Violation]:
    asked, given_up = said.get(PLACED, []), said.get(GIVEN_UP, [])
    if len(asked) == 1 and given_up and min(given_up) - asked[0] > ASKED_AGAIN_WITHIN_S:
        yield _violation(
            books,
            order_id,
            "an order was given up, and nobody had asked again",
            expected=f"{PLACED} told once more within {ASKED_AGAIN_WITHIN_S:.0f} s",
            found=f"told once, and given up after {min(given_up) - asked[0]:.0f} s",
        )


def _nobody_cancelled(books: Books) -> Iterator[Violation]:
    """Of who told what they did: an answer that never came may have been a yes."""
    asked = {
        operation.order_id
        for operation in books.operations
        if operation.kind == "cancel_order" and operation.outcome is not Outcome.FAIL
    }
    told = {operation.order_id for operation in books.operations}
    for order_id, order in books.orders.items():
        in_their_name = order["cancel_reason"] == "customer_cancelled"
        if in_their_name and order_id in told - asked:
            yield _violation(
                books,
                order_id,
                "an order was cancelled in the name of a customer who did not ask for it",
                expected="cancel_order by its shopper",
                found="none",
            )


def _words(end: str) -> str:
    return end.replace("_", " ")


def _violation(books: Books, order_id: str, what: str, *, expected: str, found: str) -> Violation:
    trace_id = books.trace_id_of(order_id)
    return Violation(what, order_id, trace_id, expected=expected, found=found)
