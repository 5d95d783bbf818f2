"""What came back is on the shelf and paid back as promised, and every refund was told once.

It cannot see goods that came back and that nobody took in.
"""

from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation, listed
from harness.audit.pricing import shown


def check(books: Books) -> Iterator[Violation]:
    for order_id in books.orders:
        yield from _returns(books, order_id)
        yield from _refunds(books, order_id)


def _returns(books: Books, order_id: str) -> Iterator[Violation]:
    for one in books.returns.get(order_id, ()):
        # Until staff have the goods nothing moves; that the customer never brings them is no fault.
        done = one["status"] == "refunded" and one["restocked"]
        if one["received"] and not done:
            yield Violation(
                "goods came back, and that is where it ended",
                order_id,
                books.trace_id_of(order_id),
                expected="refunded, and on the shelf",
                found=f"{one['status']}, {'' if one['restocked'] else 'not '}on the shelf",
                about=f"return {one['id']}",
            )
        back = {line["sku"]: line["quantity"] for line in books.restocked.get(one["id"], ())}
        if one["restocked"] and back != one["lines"]:
            yield Violation(
                "goods are said to be on the shelf again, and the stock knows otherwise",
                order_id,
                books.trace_id_of(order_id),
                expected=listed(one["lines"]),
                found=listed(back),
                about=f"return {one['id']}",
            )


def _refunds(books: Books, order_id: str) -> Iterator[Violation]:
    order, refunds = books.orders[order_id], books.refunds.get(order_id, ())
    currency, trace_id = order["currency"], books.trace_id_of(order_id)
    sum_ = sum(refund["amount_minor"] for refund in refunds)
    if sum_ != order["refunded_minor"]:
        yield Violation(
            "an order's refunds are not what it says was paid back",
            order_id,
            trace_id,
            expected=shown(order["refunded_minor"], currency),
            found=shown(sum_, currency),
        )
    promised = {one["id"]: one["amount_minor"] for one in books.returns.get(order_id, ())}
    for refund in refunds:
        # Less is right where staff had paid some of it back before (ADR-0013), more never is.
        if refund["return_id"] and refund["amount_minor"] > promised.get(refund["return_id"], 0):
            yield Violation(
                "more was paid back for a return than was promised",
                order_id,
                trace_id,
                expected=shown(promised.get(refund["return_id"], 0), currency),
                found=shown(refund["amount_minor"], currency),
                about=f"return {refund['return_id']}",
            )
    told = [mail for mail in books.mails.get(order_id, ()) if mail["kind"] == "refund"]
    if len(told) != len(refunds):
        yield Violation(
            "a refund was not told by one mail",
            order_id,
            trace_id,
            expected=f"{len(refunds)} mails, one a refund",
            found=f"{len(told)} mails",
        )
