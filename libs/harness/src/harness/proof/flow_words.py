"""The words of the features, and which span of which service each stands for.

A fact is a fact when its owner announces it, so most are the announcement.
"""

from collections.abc import Mapping

from harness.traces.conventions import process_span, publish_span

WORDS: Mapping[str, tuple[str, str]] = {
    "the order was placed": ("order", publish_span("order.placed")),
    "the order was confirmed": ("order", publish_span("order.confirmed")),
    "the cancellation was asked for": ("order", publish_span("order.cancellation_requested")),
    "the order was cancelled": ("order", publish_span("order.cancelled")),
    "the stock was reserved": ("inventory", publish_span("stock.reserved")),
    "the stock was refused": ("inventory", publish_span("stock.rejected")),
    "the stock was committed": ("inventory", publish_span("stock.committed")),
    "the stock was released": ("inventory", publish_span("stock.released")),
    "the bank was asked": ("payment", publish_span("payment.action_required")),
    "the customer was asked": ("order", publish_span("order.action_required")),
    "the payment was authorized": ("payment", publish_span("payment.authorized")),
    "the payment was declined": ("payment", publish_span("payment.declined")),
    "the payment was voided": ("payment", publish_span("payment.voided")),
    "the payment was captured": ("payment", publish_span("payment.captured")),
    "the payment was refunded": ("payment", publish_span("payment.refunded")),
    "the goods came back": ("order", publish_span("order.returned")),
    "the return was settled": ("order", publish_span("order.refunded")),
    "the goods were restocked": ("inventory", publish_span("stock.returned")),
    "the customer was told": ("notification", publish_span("notification.sent")),
    "the cart was emptied": ("cart", process_span("order.confirmed")),
    "the provider was asked for the money": ("payment-provider", "POST /v1/payments"),
}

# The same words, as types of events: of what is a fact because its owner announces it.
ANNOUNCEMENTS: Mapping[str, str] = {
    words: span.removeprefix(publish_span(""))
    for words, (_, span) in WORDS.items()
    if span.startswith(publish_span(""))
}
