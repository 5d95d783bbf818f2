"""Each confirmed order was paid in full, no other was, refunds are as told, the ledger agrees.

It cannot see money that was held or taken, and given back before anybody looked.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.audit.books import Books, Row
from harness.audit.checkers.violation import Violation
from harness.audit.pricing import shown

# What the provider has of ours, and what of it goes back (accounts of payment's ledger).
AT_PROVIDER = frozenset({"provider_receivable", "provider_payable"})


def check(books: Books) -> Iterator[Violation]:
    for order_id in books.orders:
        yield from _one_order(books, order_id)
    for reference in books.provider_payments.keys() - books.orders.keys():
        yield Violation(
            "the provider was asked for money for an order that does not exist",
            reference,
            expected="no payment",
            found=_payments(books.provider_payments[reference]),
        )
    yield from _ledger(books)


def _one_order(books: Books, order_id: str) -> Iterator[Violation]:
    order, trace_id = books.orders[order_id], books.trace_id_of(order_id)
    currency = order["currency"]
    payments = books.provider_payments.get(order_id, ())
    # A cancelled order's money may have been taken, late, if all of it was given back.
    kept = [net for p in payments if (net := p["captured_minor"] - p["refunded_minor"])]
    wanted = order["total_minor"] - order["refunded_minor"]
    expected = [wanted] if order["status"] == "confirmed" and wanted else []
    if kept != expected:
        yield Violation(
            f"the provider does not keep what a {order['status']} order costs",
            order_id,
            trace_id,
            expected=" and ".join(shown(net, currency) for net in expected) or "nothing kept",
            found=_payments(payments),
            about=f"total {shown(order['total_minor'], currency)},"
            f" refunded {shown(order['refunded_minor'], currency)}",
        )
    if len(payments) > 1:
        yield Violation(
            "an order has several payments at the provider",
            order_id,
            trace_id,
            expected="1 payment",
            found=_payments(payments),
        )
    held = [p for p in payments if p["status"] in {"authorized", "requires_action"}]
    if held:
        yield Violation(
            f"a {order['status']} order still holds money on the card",
            order_id,
            trace_id,
            expected="captured or let go",
            found=_payments(held),
        )
    currencies = {p["currency"] for p in payments} - {currency}
    if currencies:
        yield Violation(
            "an order was paid in another currency than it is priced in",
            order_id,
            trace_id,
            expected=currency,
            found=" and ".join(sorted(currencies)),
        )


def _ledger(books: Books) -> Iterator[Violation]:
    kept = Counter[str]()
    for entry in books.ledger:
        if entry["account"] in AT_PROVIDER:
            kept[entry["order_id"]] += entry["amount_minor"]
    for order_id in books.provider_payments.keys() | kept.keys():
        at_provider = sum(
            p["captured_minor"] - p["refunded_minor"]
            for p in books.provider_payments.get(order_id, ())
        )
        if at_provider != kept[order_id]:
            currency = books.orders.get(order_id, {}).get("currency", "")
            yield Violation(
                "the ledger says another sum than the provider keeps",
                order_id,
                books.trace_id_of(order_id),
                expected=f"{shown(at_provider, currency)}, as the provider keeps",
                found=f"{shown(kept[order_id], currency)} in the ledger",
            )


def _payments(payments: Sequence[Row]) -> str:
    return " and ".join(map(_payment, payments)) or "no payment"


def _payment(payment: Row) -> str:
    amount, captured, refunded = (
        shown(payment[name], payment["currency"])
        for name in ("amount_minor", "captured_minor", "refunded_minor")
    )
    id_ = payment.get("id", "a payment")
    return f"{id_} of {amount} {payment['status']}, {captured} captured, {refunded} refunded"
