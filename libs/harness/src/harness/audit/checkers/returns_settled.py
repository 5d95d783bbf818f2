"""What came back is on the shelf and paid back as promised, and every refund was told once.

It cannot see goods that came back and that nobody took in.
"""

from collections import Counter
from collections.abc import Iterator

from harness.audit.books import Books
from harness.audit.checkers.violation import Violation, listed
from harness.audit.pricing import shown


def check(books: Books) -> Iterator[Violation]:
    for order_id in books.orders:
        yield from _returns(books, order_id)
        yield from _refunds(books, order_id)
        yield from _paid_back(books, order_id)


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
    told = [mail for mail in books.mails.get(order_id, ()) if mail["kind"] == "refund"]
    if len(told) != len(refunds):
        yield Violation(
            "a refund was not told by one mail",
            order_id,
            trace_id,
            expected=f"{len(refunds)} mails, one a refund",
            found=f"{len(told)} mails",
        )


def _paid_back(books: Books, order_id: str) -> Iterator[Violation]:
    order, returns = books.orders[order_id], books.returns.get(order_id, ())
    promised = {one["id"]: one["amount_minor"] for one in returns}
    paid = Counter({one["id"]: 0 for one in returns if one["status"] == "refunded"})
    for refund in books.refunds.get(order_id, ()):
        if refund["return_id"]:
            paid[refund["return_id"]] += refund["amount_minor"]
    for return_id, minor in paid.items():
        owed = promised.get(return_id, 0)
        # Less is right only where other refunds had left no more of it (ADR-0013).
        if minor > owed or (minor < owed and order["refunded_minor"] < order["total_minor"]):
            yield Violation(
                "a return was not paid back as promised",
                order_id,
                books.trace_id_of(order_id),
                expected=shown(owed, order["currency"]),
                found=shown(minor, order["currency"]),
                about=f"return {return_id}",
            )
