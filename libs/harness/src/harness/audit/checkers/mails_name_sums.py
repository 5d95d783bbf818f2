"""Every mail about an order names the sums that the order, or the refund, came to, and no other.

It cannot see the HTML beside a mail's text, nor what a mail says in words.
"""

from collections.abc import Iterator

from harness.audit.books import Books, Row
from harness.audit.checkers.violation import Violation
from harness.audit.pricing import shown

TOTAL = ("total_minor",)
PARTS = ("subtotal_minor", "shipping_minor", "tax_minor", *TOTAL)


def check(books: Books) -> Iterator[Violation]:
    for order_id in books.mails.keys() & books.orders.keys():
        order = books.orders[order_id]
        for mail in books.mails[order_id]:
            named = sorted(minor for minor, code in mail["sums"] if code == order["currency"])
            lawful = _lawful(books, order_id, mail["kind"])
            if named not in lawful:
                yield Violation(
                    f"a mail of {mail['kind'].replace('_', ' ')} names other sums than it is about",
                    order_id,
                    books.trace_id_of(order_id),
                    expected=" or ".join(_listed(sums, order) for sums in lawful) or "no such mail",
                    found=_listed(named, order),
                    about=f"mail {mail.get('id', 'without an id')}",
                )


def _lawful(books: Books, order_id: str, kind: str) -> list[list[int]]:
    """What a mail of that kind may name, in minor units, sorted."""
    order = books.orders[order_id]
    if kind == "refund":
        return [[refund["amount_minor"]] for refund in books.refunds.get(order_id, ())]
    if kind != "order_confirmation":
        return [[order[part] for part in TOTAL]]
    lines = books.order_lines.get(order_id, ())
    of_lines = [line["quantity"] * line["unit_price_minor"] for line in lines]
    return [sorted([*of_lines, *(order[part] for part in PARTS)])]


def _listed(sums: list[int], order: Row) -> str:
    return ", ".join(shown(minor, order["currency"]) for minor in sums) or "none"
