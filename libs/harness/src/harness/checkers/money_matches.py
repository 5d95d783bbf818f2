"""Each confirmed order was paid in full, no other was, refunds are as told, the ledger agrees."""

from collections import Counter
from collections.abc import Iterator

from harness.books import Books
from harness.checkers.violation import Violation

# What the provider has of ours, and what of it goes back (accounts of payment's ledger).
AT_PROVIDER = frozenset({"provider_receivable", "provider_payable"})


def check(books: Books) -> Iterator[Violation]:
    for order_id in books.orders:
        yield from _one_order(books, order_id)
    for reference in books.provider_payments.keys() - books.orders.keys():
        yield Violation("the provider was asked for money for an unknown order", reference)
    yield from _ledger(books)


def _one_order(books: Books, order_id: str) -> Iterator[Violation]:
    order, trace_id = books.orders[order_id], books.trace_id_of(order_id)
    payments = books.provider_payments.get(order_id, ())
    # A cancelled order's money may have been taken, late, if all of it was given back.
    kept = [net for p in payments if (net := p["captured_minor"] - p["refunded_minor"])]
    wanted = order["total_minor"] - order["refunded_minor"]
    expected = [wanted] if order["status"] == "confirmed" and wanted else []
    if kept != expected:
        yield Violation(
            f"{order['status']} order of {order['total_minor']}, of which"
            f" {order['refunded_minor']} refunded: the provider keeps {kept}",
            order_id,
            trace_id,
        )
    if len(payments) > 1:
        yield Violation(f"{len(payments)} payments at the provider", order_id, trace_id)
    held = [p for p in payments if p["status"] in {"authorized", "requires_action"}]
    if held:
        yield Violation(
            f"{order['status']} order still holds {held[0]['amount_minor']} on the card"
            f" ({held[0]['status']})",
            order_id,
            trace_id,
        )
    currencies = {p["currency"] for p in payments} - {order["currency"]}
    if currencies:
        yield Violation(f"paid in {currencies}, priced in {order['currency']}", order_id, trace_id)


def _ledger(books: Books) -> Iterator[Violation]:
    balance, kept = Counter[str](), Counter[str]()
    for entry in books.ledger:
        balance[entry["currency"]] += entry["amount_minor"]
        if entry["account"] in AT_PROVIDER:
            kept[entry["order_id"]] += entry["amount_minor"]
    for currency, sum_ in balance.items():
        if sum_:
            yield Violation(f"the ledger's {currency} entries come to {sum_}, not to nothing")
    for order_id in books.provider_payments.keys() | kept.keys():
        at_provider = sum(
            p["captured_minor"] - p["refunded_minor"]
            for p in books.provider_payments.get(order_id, ())
        )
        if at_provider != kept[order_id]:
            yield Violation(
                f"the ledger says {kept[order_id]}, the provider {at_provider}",
                order_id,
                books.trace_id_of(order_id),
            )
