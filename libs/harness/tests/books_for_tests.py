"""A tiny shop whose books are in order: one order of each kind, and helpers to spoil them."""

from collections.abc import Mapping
from typing import Any, TypeVar

from harness.audit.books import Books, Checkout, Publishes, QueueDepth
from harness.audit.checkers.traces_complete import STEPS
from harness.traces.causality import Trace
from harness.traces.spans import Kind, Span

CONFIRMED, CANCELLED, BAD_CARD, SHORT = "o-confirmed", "o-cancelled", "o-bad-card", "o-short"
V = TypeVar("V")


def without(rows: Mapping[str, V], key: str) -> dict[str, V]:
    return {k: row for k, row in rows.items() if k != key}


def change(rows: Mapping[str, Mapping[str, Any]], key: str, /, **changes: Any) -> dict[str, Any]:
    return {**rows, key: {**rows[key], **changes}}


def span(trace_id: str, number: int, service: str, name: str) -> Span:
    return Span(
        trace_id=trace_id,
        span_id=f"{number:016x}",
        parent_span_id=None if number == 0 else f"{0:016x}",
        name=name,
        kind=Kind.INTERNAL,
        service=service,
        start_ns=number,
        end_ns=number + 1,
    )


def trace(trace_id: str, outcome: str, *more: tuple[str, str]) -> Trace:
    steps = [("shopper", "checkout"), *sorted(STEPS[outcome]), *more]
    return Trace(tuple(span(trace_id, n, *step) for n, step in enumerate(steps)))


def trace_id_of(name: str) -> str:
    return "t_" + name.replace("-", "_")


def order(name: str, status: str, reason: str | None = None) -> dict[str, Any]:
    return {
        "customer_id": name, "email": "ana@shoppers.example", "currency": "USD",
        "subtotal_minor": 500, "shipping_minor": 599, "tax_minor": 40, "total_minor": 1139,
        "refunded_minor": 0, "status": status, "cancel_reason": reason, "stock_settled": True,
        "payment_settled": True, "placed_at": 1.0, "version": 2, "key": f"k-{name}",
        "traceparent": f"00-{trace_id_of(name)}-1-01",
    }  # fmt: skip


def history(status: str) -> list[dict[str, Any]]:
    return [
        {"version": 1, "status": "pending", "event": "order.placed", "at": 1.0},
        {"version": 2, "status": status, "event": "the end", "at": 2.0},
    ]


def checkout(name: str, outcome: str, reason: str | None = None) -> Checkout:
    return Checkout(
        f"b-{name}",
        f"household {name}",
        f"k-{name}",
        {"MUG-1": 2},
        trace_id_of(name),
        1.0,
        outcome,
        f"o-{name}",
        reason,
    )


def mail(kind: str, *minor: int) -> dict[str, Any]:
    """minor: what it names, in cents."""
    sums = [(sum_, "USD") for sum_ in minor]
    return {"id": "m-1", "kind": kind, "to": ["ana@shoppers.example"], "sums": sums}


KINDS = {
    "confirmed": ("confirmed", None),
    "cancelled": ("cancelled", "customer_cancelled"),
    "bad-card": ("cancelled", "payment_declined"),
    "short": ("cancelled", "out_of_stock"),
}
LINES = [{"sku": "MUG-1", "quantity": 2, "unit_price_minor": 250}]
MAIL = mail("order_confirmation", 500, 500, 599, 40, 1139)
CAPTURED = {
    "status": "captured", "amount_minor": 1139, "captured_minor": 1139, "refunded_minor": 0,
    "currency": "USD",
}  # fmt: skip
TOLD = {
    "at": 2.5, "topic": "order-events", "message_id": "m-1", "digest": "d-1", "event_id": "e-1",
    "event_type": "order.confirmed", "traceparent": "00-t_confirmed-1-01",
}  # fmt: skip
PAID = ("payment", "process stock.reserved")

GOOD_BOOKS = Books(
    checkouts=[checkout(name, *kind) for name, kind in KINDS.items()],
    orders={f"o-{name}": order(name, *kind) for name, kind in KINDS.items()},
    order_lines={f"o-{name}": LINES for name in KINDS},
    order_history={f"o-{name}": history(status) for name, (status, _) in KINDS.items()},
    prices={"MUG-1": [{"price_minor": 250, "since": 0.0}]},
    stock={"MUG-1": {"on_hand": 8, "reserved": 0}},
    movements={"MUG-1": {"on_hand": 8, "reserved": 0}},
    reservations={
        CONFIRMED: "committed", CANCELLED: "released", BAD_CARD: "released", SHORT: "rejected",
    },
    reservation_lines={CONFIRMED: [{"sku": "MUG-1", "quantity": 2}]},
    lowest={"MUG-1": {"free": 1, "reserved": 0}},
    moved={CONFIRMED: [{"sku": "MUG-1", "promised": 2, "taken": 2, "reserved": 0}]},
    missing={SHORT: [{"sku": "MUG-1", "requested": 2, "free": 1}]},
    payments={
        CONFIRMED: {"id": "p-1", "status": "captured"},
        CANCELLED: {"id": "p-2", "status": "voided"},
        BAD_CARD: {"id": "p-3", "status": "declined"},
    },
    ledger=(
        {"order_id": CONFIRMED, "account": "provider_receivable", "amount_minor": 1139,
         "currency": "USD", "refund_id": None},
        {"order_id": CONFIRMED, "account": "sales", "amount_minor": -1139, "currency": "USD",
         "refund_id": None},
    ),
    webhooks={"evt_1": {"type": "payment.captured", "state": "done", "last_error": None}},
    answers=[
        {"subject": name, "key": f"k-{name}", "status": 202, "order_id": f"o-{name}"}
        for name in KINDS
    ],
    provider_payments={
        CONFIRMED: [CAPTURED],
        CANCELLED: [{**CAPTURED, "status": "voided", "captured_minor": 0}],
        BAD_CARD: [{**CAPTURED, "status": "declined", "captured_minor": 0}],
    },
    provider_facts={
        CONFIRMED: [
            {"name": "payment.authorized", "amount_minor": 1139},
            {"name": "payment.captured", "amount_minor": 1139},
        ],
        BAD_CARD: [{"name": "payment.declined", "amount_minor": 1139}],
    },
    provider_webhooks=[
        {"id": "evt_1", "type": "payment.captured", "reference": CONFIRMED, "taken": True},
        {"id": "evt_2", "type": "payment.declined", "reference": BAD_CARD, "taken": False},
    ],
    provider_calls={
        CONFIRMED: [
            {"name": "payment.authorize", "idempotency_key": "k-1"},
            {"name": "payment.authorize", "idempotency_key": "k-1"},
            {"name": "payment.capture", "idempotency_key": "k-2"},
        ],
        "self-test-1": [
            {"name": "payment.authorize", "idempotency_key": "k-8"},
            {"name": "payment.authorize", "idempotency_key": "k-9"},
        ],
    },
    asked={CONFIRMED: [{"id": "k-1", "kind": "authorize"}, {"id": "k-2", "kind": "capture"}]},
    carts={name: {} if kind[0] == "confirmed" else {"MUG-1": 2} for name, kind in KINDS.items()},
    mails={
        f"o-{name}": [MAIL if status == "confirmed" else mail("order_cancellation", 1139)]
        for name, (status, _) in KINDS.items()
    },
    outboxes={"order": [
        {"event_id": "e-1", "event_type": "order.confirmed", "subject": CONFIRMED,
         "published": True, "published_at": 3.0, "digest": "d-1", "at": 2.0},
    ]},
    publishes=Publishes(since=2.0, until=9.0, rows=[TOLD]),
    inboxes={"cart": {"e-1": "order.confirmed"}},
    consumers={"order.confirmed": frozenset({"cart"})},
    queues={"order-inbox": QueueDepth(0, 0, 0, 0)},
    traces={
        "t_confirmed": trace("t_confirmed", "confirmed"),
        "t_cancelled": trace("t_cancelled", "cancelled", PAID),
        "t_bad_card": trace("t_bad_card", "cancelled", PAID),
        "t_short": trace("t_short", "cancelled"),
    },
)  # fmt: skip
