"""Every order's customer was told how it ended once, and of what else happened at most once."""

from collections.abc import Iterator

from harness.books import Books
from harness.checkers.violation import Violation

KIND = {"confirmed": "order_confirmation", "cancelled": "order_cancellation"}
# Said in between, if at all: once for each time it happened.
BETWEEN = {"action_required", "refund"}


def check(books: Books) -> Iterator[Violation]:
    for order_id, order in books.orders.items():
        mails = books.mails.get(order_id, ())
        kinds = [mail["kind"] for mail in mails if mail["kind"] not in BETWEEN]
        wanted = [KIND[order["status"]]] if order["status"] in KIND else []
        trace_id = books.trace_id_of(order_id)
        if kinds != wanted:
            yield Violation(f"{order['status']} order got the mails {kinds}", order_id, trace_id)
        for mail in mails:
            if order["email"] not in mail["to"]:
                yield Violation("mail went to somebody else", order_id, trace_id)
    for order_id in books.mails.keys() - books.orders.keys():
        yield Violation("mail about an order that does not exist", order_id)
