"""Every order's customer was told how it ended once, and of what else happened at most once.

It cannot see what a mail says (its sums are `mails_name_sums`'), only its kind and to whom it went.
"""

from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation

KIND = {"confirmed": "order_confirmation", "cancelled": "order_cancellation"}
# Said in between, if at all: once for each time it happened. Refunds are `returns_settled`'s.
ASKED, ASKING = "payment.action_required", "action_required"
BETWEEN = {ASKING, "refund"}


def check(books: Books) -> Iterator[Violation]:
    for order_id, order in books.orders.items():
        mails = books.mails.get(order_id, ())
        kinds = [mail["kind"] for mail in mails if mail["kind"] not in BETWEEN]
        wanted = [KIND[order["status"]]] if order["status"] in KIND else []
        trace_id = books.trace_id_of(order_id)
        if kinds != wanted:
            yield Violation(
                f"a {order['status']} order's customer did not get the one mail that tells it",
                order_id,
                trace_id,
                expected=_named(wanted),
                found=_named(kinds),
            )
        asked = [e for e in books.order_history.get(order_id, ()) if e["event"] == ASKED]
        asking = [mail for mail in mails if mail["kind"] == ASKING]
        if len(asking) > len(asked):
            yield Violation(
                "a customer was told that their bank asks, and it had not",
                order_id,
                trace_id,
                expected=f"{len(asked)} mails at most, one for each time",
                found=f"{len(asking)} mails",
            )
        for mail in mails:
            if order["email"] not in mail["to"]:
                yield Violation(
                    "a mail went to somebody else",
                    order_id,
                    trace_id,
                    expected="the customer's own address",
                    found="another",
                    about=f"mail {mail.get('id', 'without an id')}",
                )
    for order_id in books.mails.keys() - books.orders.keys():
        yield Violation("a mail is about an order that does not exist", order_id)


def _named(kinds: list[str]) -> str:
    return " and ".join(kind.replace("_", " ") for kind in kinds) or "no mail"
