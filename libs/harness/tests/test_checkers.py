"""Each invariant holds on good books, and a planted bug breaks exactly the one it should."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from books_for_tests import (
    BAD_CARD,
    CANCELLED,
    CONFIRMED,
    GOOD_BOOKS,
    MAIL,
    SHORT,
    TOLD,
    change,
    mail,
    span,
    trace,
    without,
)
from harness.audit.books import Books, Checkout, Publishes, QueueDepth, Restart, Row
from harness.audit.checkers import CHECKERS, audit
from harness.shopper.history import ATTEMPT, Operation, Outcome
from harness.traces.causality import Trace
from harness.traces.conventions import EFFECT, EFFECT_APPLIED, EVENT_ID, WEBHOOK_ID
from harness.traces.spans import Kind

Plant = Callable[[Books], Books]


def broken_by(books: Books) -> set[str]:
    return {finding.checker.name for finding in audit(books) if finding.violations}


def test_good_books_break_nothing() -> None:
    assert broken_by(GOOD_BOOKS) == set()


def checkout(order_id: str, /, **changes: Any) -> Plant:
    def plant(books: Books) -> Books:
        return replace(
            books,
            checkouts=[
                replace(c, **changes) if c.order_id == order_id else c for c in books.checkouts
            ],
        )

    return plant


def prices(*since: tuple[int, float]) -> list[dict[str, Any]]:
    return [{"price_minor": minor, "since": at} for minor, at in since]


def order(order_id: str, /, **changes: Any) -> Plant:
    return lambda books: replace(books, orders=change(books.orders, order_id, **changes))


def field(name: str, key: str, value: Any) -> Plant:
    return lambda books: replace(books, **{name: {**getattr(books, name), key: value}})


def lost(name: str, key: str) -> Plant:
    return lambda books: replace(books, **{name: without(getattr(books, name), key)})


def attempt(outcome: Outcome) -> Operation:
    return Operation(ATTEMPT, "bot", outcome, 1.0, 1.1, detail="read another's order")


REFUND = {"refund_id": "re_1", "order_id": CONFIRMED, "return_id": None, "amount_minor": 100}
RETURN = {
    "id": "r-1", "order_id": CONFIRMED, "status": "refunded", "amount_minor": 100,
    "restocked": True, "received": True, "lines": {"MUG-1": 1},
}  # fmt: skip

PAYMENT = {
    "status": "captured", "amount_minor": 1139, "captured_minor": 1139, "refunded_minor": 0,
    "currency": "USD",
}  # fmt: skip
EVENT = {
    "event_id": "e-9", "event_type": "order.confirmed", "subject": CONFIRMED, "at": 2.0,
    "published_at": 0.0,  # Before anybody noted what was published.
}  # fmt: skip
REFUNDED = replace(
    GOOD_BOOKS,
    orders=change(GOOD_BOOKS.orders, CONFIRMED, refunded_minor=100),
    refunds={CONFIRMED: [REFUND]},
    mails={**GOOD_BOOKS.mails, CONFIRMED: [MAIL, mail("refund", 100)]},
    provider_payments={
        **GOOD_BOOKS.provider_payments, CONFIRMED: [{**PAYMENT, "refunded_minor": 100}],
    },
    ledger=(
        *GOOD_BOOKS.ledger,
        {"order_id": CONFIRMED, "account": "refunds", "amount_minor": 100, "currency": "USD",
         "refund_id": "re_1"},
        {"order_id": CONFIRMED, "account": "provider_payable", "amount_minor": -100,
         "currency": "USD", "refund_id": "re_1"},
    ),
    provider_facts={
        **GOOD_BOOKS.provider_facts,
        CONFIRMED: [
            *GOOD_BOOKS.provider_facts[CONFIRMED],
            {"name": "payment.refunded", "amount_minor": 100},
        ],
    },
)  # fmt: skip
# A mug came back for it: it is on the shelf again, and she was told of her money.
RETURNED = replace(
    REFUNDED,
    stock={"MUG-1": {"on_hand": 9, "reserved": 0}},
    movements={"MUG-1": {"on_hand": 9, "reserved": 0}},
    returns={CONFIRMED: [RETURN]},
    restocked={"r-1": [{"sku": "MUG-1", "quantity": 1}]},
    refunds={CONFIRMED: [{**REFUND, "return_id": RETURN["id"]}]},
)


def placed(at: float, order_id: str = CONFIRMED) -> Operation:
    return Operation(
        "place_order", "ana", Outcome.OK, at, at + 0.1, 202, order_id=order_id, key="k-1"
    )


def looked(
    at: float, order_status: str | None = None, status: int = 200, outcome: Outcome = Outcome.OK
) -> Operation:
    return Operation(
        *("read_order", "ana", outcome, at, at + 0.1, status),
        order_id=CONFIRMED,
        order_status=order_status,
    )


def filled(
    at: float, *, version: int | None, if_match: int | None = None, customer_id: str = "ana"
) -> Operation:
    """version: None if it was refused."""
    outcome, status = (Outcome.FAIL, 412) if version is None else (Outcome.OK, 200)
    return Operation(
        *("fill_cart", "ana", outcome, at, at + 0.1, status),
        customer_id=customer_id,
        if_match=if_match,
        version=version,
    )


def left_without_ordering(books: Books) -> Books:
    leaver = Checkout(
        *("b-leaver", "household leaver", "k-leaver", {"MUG-1": 2}, "t_leaver", 1.0, "abandoned"),
        customer_id="leaver",
    )
    return replace(
        books,
        checkouts=[*books.checkouts, leaver],
        carts={**books.carts, "leaver": {"MUG-1": 2}},
        traces={**books.traces, "t_leaver": trace("t_leaver", "abandoned")},
    )


def ordered_again(books: Books) -> Books:
    """The confirmed order is of whose card was bad before: one basket, two keys, two traces."""
    again = {"basket_id": "b-bad-card", "shopper": "household bad-card"}
    of_one_customer = order(CONFIRMED, customer_id="bad-card")(checkout(CONFIRMED, **again)(books))
    return answered_to(replace(of_one_customer, carts={**books.carts, "bad-card": {}}), "bad-card")


def answered_to(books: Books, subject: str) -> Books:
    """The confirmed order's answer is kept for *subject*."""
    key = books.orders[CONFIRMED]["key"]
    answers = [{**row, "subject": subject} if row["key"] == key else row for row in books.answers]
    return replace(books, answers=answers)


def with_effects(books: Books, *event_ids: str, said_as: str = EVENT_ID) -> Trace:
    """The trace of the confirmed order, in which cart heard of it so often."""
    whole = books.traces["t_confirmed"]
    assert whole
    heard = span("t_confirmed", 90, "cart", "process order.confirmed")
    effects = [
        replace(heard, span_id=f"{90 + n:016x}", attributes={EFFECT: EFFECT_APPLIED, said_as: id_})
        for n, id_ in enumerate(event_ids)
    ]
    return Trace((*whole.spans, *effects))


def told_by(books: Books, *event_ids: str) -> Trace:
    """The same trace, in which deliveries of these events each wrote down something to tell."""
    whole = books.traces["t_confirmed"]
    assert whole
    delivery = span("t_confirmed", 0, "payment", "process stock.reserved")
    told = span("t_confirmed", 0, "payment", "publish payment.authorized")
    found = list(whole.spans)
    for number, event_id in enumerate(event_ids, start=80):
        id_ = f"{number:016x}"
        root = {"trace_id": "t_confirmed", "parent_span_id": whole.roots[0].span_id}
        attributes = {EVENT_ID: event_id}
        found.append(
            replace(delivery, span_id=id_, kind=Kind.CONSUMER, attributes=attributes, **root)
        )
        # Twice: who tells is killed before it can note that it did.
        for again in (100, 200):
            sent = replace(told, span_id=f"{number + again:016x}", kind=Kind.PRODUCER)
            found.append(replace(sent, parent_span_id=id_))
    return Trace(tuple(found))


def told_to_order(books: Books, order_id: str, *heard: str) -> Books:
    """The order service has said that it was placed, and has taken in what its neighbours said."""
    events = [{**EVENT, "event_id": f"e-{type_}", "event_type": type_, "subject": order_id}
              | {"published": True} for type_ in ("order.placed", *heard)]  # fmt: skip
    return replace(
        books,
        outboxes={
            **books.outboxes,
            "order": [*books.outboxes["order"], events[0]],
            "payment": events[1:],
        },
        inboxes={**books.inboxes, "order": {e["event_id"]: e["event_type"] for e in events[1:]}},
    )


def given_up(books: Books, order_id: str, *asked_at: float) -> Books:
    """At its deadline, after a minute and a half."""
    told = [("order.placed", at) for at in asked_at] + [("order.cancellation_requested", 91.0)]
    events = [
        {**EVENT, "event_id": f"e-{at}", "event_type": type_, "subject": order_id, "at": at}
        | {"published": True} for type_, at in told
    ]  # fmt: skip
    heard = told_to_order(order(order_id, cancel_reason="deadline_exceeded")(books), order_id,
                          "payment.voided")  # fmt: skip
    return replace(heard, outboxes={**heard.outboxes, "order": [*books.outboxes["order"], *events]})


def published(*rows: Row) -> Plant:
    return lambda books: replace(books, publishes=Publishes(2.0, 9.0, rows))


def leaked_by_refused(books: Books) -> Books:
    refused = Checkout("b-9", "eve", "k-9", {"MUG-1": 1}, "t-9", 1.0, "refused")
    leak = replace(span("t-9", 0, "payment", "POST /payments"), status_message="4242424242424242")
    return replace(
        books,
        checkouts=[*books.checkouts, refused],
        traces={**books.traces, "t-9": Trace((leak,))},
    )


def halves(entries: Sequence[Row]) -> list[Row]:
    """Each of *entries* as two."""
    return [{**entry, "amount_minor": entry["amount_minor"] // 2} for entry in entries * 2]


PLANTED: list[tuple[str, str, Plant]] = [
    ("one_final_outcome", "an order is never decided", order(CONFIRMED, status="pending")),
    ("one_final_outcome", "an order is never settled", order(CONFIRMED, payment_settled=False)),
    ("one_final_outcome", "an acknowledged order is lost", checkout(CONFIRMED, order_id="o-lost")),
    ("one_final_outcome", "an order is lost whose end was never heard of",
     checkout(CONFIRMED, outcome="unknown", order_id="o-lost")),
    ("one_final_outcome", "a line is lost of an order whose end was never heard of",
     checkout(CONFIRMED, outcome="unknown", lines={"MUG-1": 3})),
    ("one_final_outcome", "a refused basket is ordered", checkout(CONFIRMED, outcome="refused")),
    ("one_final_outcome", "the shopper saw another end", checkout(CONFIRMED, outcome="cancelled")),
    ("one_final_outcome", "a line is lost", checkout(CONFIRMED, lines={"MUG-1": 2, "CUP-1": 1})),
    (
        "one_final_outcome",
        "a double click makes two orders",
        lambda b: replace(b, orders={**b.orders, "o-twin": b.orders[CONFIRMED]}),
    ),
    ("one_final_outcome", "an order out of nowhere", order(CONFIRMED, key=None)),
    (
        "legal_history",
        "a cancelled order is confirmed",
        field("order_history", CONFIRMED, [
            {"version": 1, "status": "pending", "event": "order.placed", "at": 1.0},
            {"version": 2, "status": "cancelled", "event": "x", "at": 1.0},
            {"version": 3, "status": "confirmed", "event": "x", "at": 1.0},
        ]),
    ),
    (
        "legal_history",
        "a version is missing",
        field("order_history", CONFIRMED, [
            {"version": 1, "status": "pending", "event": "order.placed", "at": 1.0},
            {"version": 3, "status": "confirmed", "event": "x", "at": 1.0},
        ]),
    ),
    ("legal_history", "no history at all", lost("order_history", CONFIRMED)),
    ("price_integrity", "a wrong total", order(BAD_CARD, total_minor=1)),
    ("price_integrity", "shipping is forgotten", order(BAD_CARD, shipping_minor=0)),
    ("price_integrity", "tax is rounded down", order(BAD_CARD, tax_minor=39)),
    ("price_integrity", "not the catalog's price", field("prices", "MUG-1", prices((249, 0.0)))),
    ("price_integrity", "a price of later", field("prices", "MUG-1", prices((249, 0), (250, 9)))),
    ("price_integrity", "a price of long ago",
     field("prices", "MUG-1", prices((250, -900.0), (249, -800.0)))),
    ("price_integrity", "of a product that was never listed", lost("prices", "MUG-1")),
    (
        "stock_adds_up",
        "stock changed without a movement",
        field("stock", "MUG-1", {"on_hand": 9, "reserved": 0}),
    ),
    (
        "stock_adds_up",
        "oversold",
        lambda b: field("movements", "MUG-1", {"on_hand": -1, "reserved": 0})(
            field("stock", "MUG-1", {"on_hand": -1, "reserved": 0})(b)
        ),
    ),
    (
        "stock_adds_up",
        "a reservation is never given back",
        lambda b: field("movements", "MUG-1", {"on_hand": 8, "reserved": 2})(
            field("stock", "MUG-1", {"on_hand": 8, "reserved": 2})(b)
        ),
    ),
    (
        "stock_adds_up",
        "less committed than sold",
        field("reservation_lines", CONFIRMED, [{"sku": "MUG-1", "quantity": 1}]),
    ),
    ("reservation_follows_order", "held for ever", field("reservations", BAD_CARD, "held")),
    ("reservation_follows_order", "sold, never reserved", lost("reservations", CONFIRMED)),
    ("reservation_follows_order", "two customers get each other's goods",
     lambda b: replace(b, order_lines={
         **b.order_lines, CONFIRMED: [{**b.order_lines[CONFIRMED][0], "sku": "POT-1"}]})),
    ("reservation_follows_order", "for nobody", field("reservations", "o-ghost", "released")),
    ("money_matches", "captured twice", field("provider_payments", CONFIRMED, [PAYMENT, PAYMENT])),
    ("money_matches", "never captured", lost("provider_payments", CONFIRMED)),
    ("money_matches", "money kept for a cancelled order",
     field("provider_payments", BAD_CARD, [PAYMENT])),
    ("money_matches", "a hold is never voided",
     field("provider_payments", BAD_CARD,
           [{**PAYMENT, "status": "authorized", "captured_minor": 0}])),
    ("money_matches", "a challenge is left open",
     field("provider_payments", BAD_CARD,
           [{**PAYMENT, "status": "requires_action", "captured_minor": 0}])),
    ("money_matches", "money given back that nobody was told of",
     field("provider_payments", CONFIRMED, [{**PAYMENT, "refunded_minor": 100}])),
    ("money_matches", "a refund that was only promised", order(CONFIRMED, refunded_minor=100)),
    ("money_matches", "another currency",
     field("provider_payments", CONFIRMED, [{**PAYMENT, "currency": "EUR"}])),
    ("money_matches", "money for an unknown order",
     field("provider_payments", "o-ghost", [PAYMENT])),
    ("ledger_in_pairs", "half a ledger transaction", lambda b: replace(b, ledger=b.ledger[:1])),
    ("ledger_in_pairs", "one half of a pair is in another currency",
     lambda b: replace(b, ledger=[*b.ledger[:-1], {**b.ledger[-1], "currency": "EUR"}])),
    ("ledger_in_pairs", "one half of a pair for an order that nobody knows",
     lambda b: replace(
         b, ledger=[*b.ledger, {**b.ledger[-1], "order_id": "o-ghost", "account": "sales"}])),
    ("money_matches", "no ledger entry", lambda b: replace(b, ledger=())),
    ("money_matches", "a refund that no book of ours shows",
     lambda _: replace(REFUNDED, ledger=GOOD_BOOKS.ledger)),
    ("money_matches", "a refund in the ledger only",
     lambda b: replace(b, ledger=REFUNDED.ledger)),
    ("returns_settled", "goods came back and the money did not",
     lambda _: replace(RETURNED, returns={CONFIRMED: [{**RETURN, "status": "received"}]})),
    ("returns_settled", "goods came back and are not on the shelf",
     lambda _: replace(RETURNED, returns={CONFIRMED: [{**RETURN, "restocked": False}]})),
    ("returns_settled", "goods are said to be back, and the stock knows nothing of it",
     lambda _: replace(RETURNED, restocked={})),
    ("returns_settled", "more came back than was brought",
     lambda _: field("restocked", "r-1", [{"sku": "MUG-1", "quantity": 2}])(RETURNED)),
    ("returns_settled", "a refund that the order does not know",
     lambda _: replace(RETURNED, orders=GOOD_BOOKS.orders)),
    ("returns_settled", "more was paid back than was promised",
     lambda _: replace(RETURNED, returns={CONFIRMED: [{**RETURN, "amount_minor": 99}]})),
    ("returns_settled", "less was paid back than was promised",
     lambda _: replace(RETURNED, returns={CONFIRMED: [{**RETURN, "amount_minor": 101}]})),
    ("returns_settled", "nothing was paid back, and all agree on it",
     lambda b: replace(b, returns=RETURNED.returns, restocked=RETURNED.restocked)),
    ("returns_settled", "paid back for a return that there is not",
     lambda _: replace(RETURNED, returns={})),
    ("returns_settled", "a refund was told twice",
     lambda _: field("mails", CONFIRMED, [MAIL, *2 * [mail("refund", 100)]])(RETURNED)),
    ("returns_settled", "a refund was told to nobody",
     lambda _: replace(RETURNED, mails=GOOD_BOOKS.mails)),
    ("one_mail_an_order", "two mails", field("mails", CONFIRMED, [MAIL, MAIL])),
    ("one_mail_an_order", "their bank asks, says a mail, and it does not",
     field("mails", CONFIRMED, [MAIL, mail("action_required", 1139)])),
    ("one_mail_an_order", "no mail", lost("mails", CONFIRMED)),
    ("one_mail_an_order", "the wrong mail", field("mails", BAD_CARD, [MAIL])),
    ("one_mail_an_order", "to somebody else",
     field("mails", CONFIRMED, [{**MAIL, "to": ["eve@shoppers.example"]}])),
    ("one_mail_an_order", "a refund is told instead of the order",
     lambda _: field("mails", CONFIRMED, [mail("refund", 100)])(RETURNED)),
    ("stock_adds_up", "what came back was never booked",
     lambda _: replace(RETURNED, movements=GOOD_BOOKS.movements)),
    ("money_matches", "goods came back and their money did not",
     lambda _: replace(RETURNED, provider_payments=GOOD_BOOKS.provider_payments)),
    ("mails_name_sums", "the total is not the order's",
     field("mails", CONFIRMED, [mail("order_confirmation", 500, 500, 599, 40, 1138)])),
    ("mails_name_sums", "a line is missing",
     field("mails", CONFIRMED, [mail("order_confirmation", 500, 599, 40, 1139)])),
    ("mails_name_sums", "nothing is said of money", field("mails", SHORT,
     [mail("order_cancellation")])),
    ("mails_name_sums", "another refund is told",
     lambda _: field("mails", CONFIRMED, [MAIL, mail("refund", 101)])(RETURNED)),
    ("one_mail_an_order", "about nothing", field("mails", "o-ghost", [MAIL])),
    ("messages_settled", "a message is left", field("queues", "q", QueueDepth(1, 0, 0, 0))),
    ("messages_settled", "in flight for ever", field("queues", "q", QueueDepth(0, 1, 0, 0))),
    ("messages_settled", "a dead letter", field("queues", "q", QueueDepth(0, 0, 0, 1))),
    ("messages_settled", "never published",
     field("outboxes", "order", [{**EVENT, "published": False}])),
    ("messages_settled", "lost between topic and queue",
     field("outboxes", "order", [{**EVENT, "published": True}])),
    ("messages_settled", "a forged event", field("inboxes", "cart", {"e-9": "order.confirmed"})),
    ("messages_settled", "told of an order that was rolled back",
     field("outboxes", "order",
           [{**EVENT, "event_type": "order.placed", "subject": "o-9", "published": True}])),
    ("hostile_refused", "somebody read what is another's",
     lambda b: replace(b, operations=[*b.operations, attempt(Outcome.OK)])),
    ("provider_asked_once", "a charge is tried again with another key",
     field("provider_calls", CONFIRMED,
           [{"name": "payment.authorize", "idempotency_key": key} for key in ("k-1", "k-9")])),
    ("provider_asked_once", "a refund is tried again with another key",
     field("provider_calls", CONFIRMED,
           [{"name": "payment.refund", "idempotency_key": key} for key in ("k-1", "k-9")])),
    ("provider_asked_once", "it was asked before that was written down",
     field("provider_calls", CONFIRMED, [{"name": "payment.capture", "idempotency_key": "k-3"}])),
    ("provider_asked_once", "it was asked for something else than was written down",
     field("provider_calls", CONFIRMED, [{"name": "payment.capture", "idempotency_key": "k-1"}])),
    ("cart_follows_order", "what was bought stays in the cart",
     field("carts", "confirmed", {"MUG-1": 2})),
    ("cart_follows_order", "what was not bought is gone", field("carts", "cancelled", {})),
    ("cart_follows_order", "what was left without ordering is gone",
     lambda b: field("carts", "leaver", {})(left_without_ordering(b))),
    ("cart_follows_order", "what was left without ordering is half there",
     lambda b: field("carts", "leaver", {"MUG-1": 1})(left_without_ordering(b))),
    ("cart_follows_order", "what the second order bought stays in the cart",
     lambda b: field("carts", "bad-card", {"MUG-1": 2})(ordered_again(b))),
    ("one_final_outcome", "who left without ordering has an order",
     lambda b: order(CONFIRMED, customer_id="leaver")(left_without_ordering(b))),
    ("traces_complete", "who left without ordering has no trace",
     lambda b: lost("traces", "t_leaver")(left_without_ordering(b))),
    ("read_your_writes", "an outdated window writes over the cart",
     lambda b: replace(b, operations=[filled(1.0, version=1), filled(2.0, if_match=0, version=2)])),
    ("read_your_writes", "an order is not there yet when its shopper looks",
     lambda b: replace(b, operations=[placed(1.0), looked(2.0, status=404, outcome=Outcome.FAIL)])),
    ("read_your_writes", "an order that was confirmed is pending again",
     lambda b: replace(b, operations=[looked(1.0, "confirmed"), looked(2.0, "pending")])),
    ("read_your_writes", "the same key is answered with two orders",
     lambda b: replace(b, operations=[placed(1.0), placed(2.0, "o-2")])),
    ("effects_once", "an event takes effect each time it comes",
     lambda b: field("traces", "t_confirmed", with_effects(b, "e-1", "e-1"))(b)),
    ("effects_once", "what follows from an event is told by a delivery that was undone, too",
     lambda b: field("traces", "t_confirmed", told_by(b, "e-1", "e-1"))(b)),
    ("effects_once", "a webhook takes effect each time it comes",
     lambda b: field("traces", "t_confirmed", with_effects(b, "w", "w", said_as=WEBHOOK_ID))(b)),
    ("ended_for_a_reason", "confirmed before payment said anything",
     lambda b: told_to_order(b, CONFIRMED, "stock.reserved")),
    ("ended_for_a_reason", "cancelled for goods that were there all the time",
     field("missing", SHORT, [{"sku": "MUG-1", "requested": 2, "free": 2}])),
    ("ended_for_a_reason", "a time-out is taken for a decline",
     field("provider_facts", BAD_CARD, [{"name": "payment.authorized", "amount_minor": 1139}])),
    ("ended_for_a_reason", "given up without having asked again",
     lambda b: given_up(b, CANCELLED, 1.0)),
    ("ended_for_a_reason", "cancelled in somebody's name",
     lambda b: replace(b, operations=[replace(looked(1.0, "cancelled"), order_id=CANCELLED)])),
    ("answers_kept", "the answer to a key names another order",
     lambda b: replace(b, answers=[{**row, "order_id": SHORT} for row in b.answers])),
    ("answers_kept", "no answer is kept", lambda b: replace(b, answers=())),
    ("answers_kept", "an order that was answered is rolled back",
     lambda b: replace(b, answers=[*b.answers, {**b.answers[0], "key": "k-9"}])),
    ("stock_in_sequence", "oversold for a moment",
     field("lowest", "MUG-1", {"free": -1, "reserved": 0})),
    ("stock_in_sequence", "let go before it was reserved",
     field("lowest", "MUG-1", {"free": 1, "reserved": -2})),
    ("stock_in_sequence", "committed without leaving the shelf",
     field("moved", CONFIRMED,
           [{"sku": "MUG-1", "promised": 2, "taken": 0, "reserved": 0}])),
    ("stock_in_sequence", "less was reserved than was ordered",
     field("moved", CONFIRMED,
           [{"sku": "MUG-1", "promised": 1, "taken": 2, "reserved": 0}])),
    ("ledger_in_pairs", "a capture is written down twice",
     lambda b: replace(b, ledger=[*b.ledger, *b.ledger])),
    ("ledger_in_pairs", "a refund is written down as two",
     lambda _: replace(REFUNDED, ledger=[*GOOD_BOOKS.ledger, *halves(REFUNDED.ledger[-2:])])),
    ("ledger_in_pairs", "an entry stands with another refund",
     lambda _: replace(REFUNDED, ledger=[
         *REFUNDED.ledger[:-1], {**REFUNDED.ledger[-1], "refund_id": "re_2"}])),
    ("ledger_in_pairs", "a payment is unknown for ever",
     field("payments", CONFIRMED, {"id": "p-1", "status": "unknown"})),
    ("ledger_in_pairs", "a payment that the provider never heard of is captured",
     field("payments", SHORT, {"id": "p-4", "status": "captured"})),
    ("webhooks_kept", "a webhook is acknowledged and forgotten", lost("webhooks", "evt_1")),
    ("webhooks_kept", "a webhook is never looked at",
     field("webhooks", "evt_1", {**GOOD_BOOKS.webhooks["evt_1"], "state": "due"})),
    ("webhooks_kept", "a forged webhook is believed",
     field("webhooks", "evt_9", GOOD_BOOKS.webhooks["evt_1"])),
    ("published_as_written", "told, and never written down",
     published(TOLD, {**TOLD, "event_id": "e-9"})),
    ("published_as_written", "told without saying what it is",
     published(TOLD, {name: TOLD[name] for name in ("at", "topic", "message_id", "digest")})),
    ("published_as_written", "told with other words", published({**TOLD, "digest": "d-2"})),
    ("published_as_written", "told as something else",
     published({**TOLD, "event_type": "order.placed"})),
    ("published_as_written", "told again with other words",
     published(TOLD, {**TOLD, "digest": "d-2"})),
    ("published_as_written", "marked as told, and never told", published()),
    ("traces_complete", "no trace", field("traces", "t_confirmed", None)),
    ("traces_complete", "no trace of a checkout whose end was never heard of",
     lambda b: field("traces", "t_confirmed", None)(checkout(CONFIRMED, outcome="unknown")(b))),
    ("traces_complete", "card data in the trace of a checkout that was refused", leaked_by_refused),
    ("traces_complete", "the trace of another outcome",
     lambda b: field("traces", "t_confirmed", b.traces["t_short"])(b)),
    ("traces_complete", "payment asked without stock",
     lambda b: checkout(CANCELLED, reason="out_of_stock")(b)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("invariant", "plant"),
    [(name, plant) for name, _, plant in PLANTED],
    ids=[f"{name}: {bug}" for name, bug, _ in PLANTED],
)
def test_a_planted_bug_breaks_its_invariant(invariant: str, plant: Plant) -> None:
    assert invariant in broken_by(plant(GOOD_BOOKS))


@pytest.mark.parametrize(
    "plant", [plant for _, _, plant in PLANTED], ids=[f"{name}: {bug}" for name, bug, _ in PLANTED]
)
def test_equal_violations_say_the_same_and_name_their_values_apart(plant: Plant) -> None:
    violations = [v for finding in audit(plant(GOOD_BOOKS)) for v in finding.violations]

    for violation in violations:
        assert not re.search(r"\d|o-|t_", violation.what), violation.what
        assert violation.values or violation.order_id


def test_money_is_told_in_units_with_the_payment_it_is_about() -> None:
    books = field("provider_payments", BAD_CARD, [PAYMENT | {"id": "pay_1"}])(GOOD_BOOKS)

    findings = {finding.checker.name: finding for finding in audit(books)}
    kept, ledger = findings["money_matches"].violations

    assert kept.what == "the provider does not keep what a cancelled order costs"
    assert kept.expected == "nothing kept"
    assert kept.found == "pay_1 of 11.39 USD captured, 11.39 USD captured, 0.00 USD refunded"
    assert kept.about == "total 11.39 USD, refunded 0.00 USD"
    assert ledger.expected == "11.39 USD, as the provider keeps"
    assert ledger.found == "0.00 USD in the ledger"


def test_every_invariant_has_a_planted_bug() -> None:
    assert {name for name, _, _ in PLANTED} == {checker.name for checker in CHECKERS}


def test_a_violation_names_its_order_and_its_trace() -> None:
    findings = audit(order(CONFIRMED, payment_settled=False)(GOOD_BOOKS))

    violations = [v for finding in findings for v in finding.violations]
    assert {v.order_id for v in violations} == {CONFIRMED}
    assert {v.trace_id for v in violations} == {"t_confirmed"}


@pytest.mark.parametrize("books", [REFUNDED, RETURNED], ids=["refunded", "returned"])
def test_what_was_given_back_everywhere_is_in_order(books: Books) -> None:
    assert broken_by(books) == set()


def test_a_price_that_changed_later_was_right_when_it_was_asked() -> None:
    raised = field("prices", "MUG-1", prices((250, 0.0), (300, 99.0)))(GOOD_BOOKS)
    while_ordering = field("prices", "MUG-1", prices((250, 0.0), (300, 0.5)))(GOOD_BOOKS)

    assert broken_by(raised) == broken_by(while_ordering) == set()


def test_a_return_of_what_was_mostly_paid_back_before_gets_the_rest() -> None:
    everything = order(CONFIRMED, refunded_minor=1139)(RETURNED)
    by_staff = {**REFUND, "refund_id": "re_2", "amount_minor": 1089}
    rest = {**REFUND, "return_id": RETURN["id"], "amount_minor": 50}
    books = replace(everything, refunds={CONFIRMED: [by_staff, rest]})
    mails = [MAIL, *2 * [mail("refund", 100)]]

    assert "returns_settled" not in broken_by(field("mails", CONFIRMED, mails)(books))


def test_a_customer_may_be_told_each_time_that_their_bank_asks() -> None:
    asked = {"version": 2, "status": "pending", "event": "payment.action_required", "at": 1.5}
    first, last = GOOD_BOOKS.order_history[CONFIRMED]
    told = field("mails", CONFIRMED, [mail("action_required", 1139), MAIL])(GOOD_BOOKS)
    books = field("order_history", CONFIRMED, [first, asked, {**last, "version": 3}])(told)

    assert "one_mail_an_order" not in broken_by(books)


def test_a_webhook_that_comes_during_the_audit_is_not_judged() -> None:
    """The shop took it, or handles it, after it was asked what the shop had taken."""
    on_its_way = {"id": "evt_3", "type": "payment.captured", "reference": CONFIRMED, "taken": False}
    books = replace(GOOD_BOOKS, provider_webhooks=[*GOOD_BOOKS.provider_webhooks, on_its_way])
    handling = {"type": "payment.captured", "state": "due", "last_error": None}

    assert broken_by(books) == set()
    assert broken_by(field("webhooks", "evt_3", handling)(books)) == set()


def test_two_shoppers_may_choose_the_same_key() -> None:
    twin = {**GOOD_BOOKS.orders[CONFIRMED], "customer_id": "eve"}
    books = replace(GOOD_BOOKS, orders={**GOOD_BOOKS.orders, "o-twin": twin})

    assert "one_final_outcome" not in broken_by(books)


def test_an_unknown_outcome_may_have_happened_or_not() -> None:
    ghost = Checkout("b-9", "eve", "k-9", {"MUG-1": 1}, "t-9", 1.0, "unknown")

    assert broken_by(replace(GOOD_BOOKS, checkouts=[*GOOD_BOOKS.checkouts, ghost])) == set()
    assert broken_by(checkout(CONFIRMED, outcome="unknown")(GOOD_BOOKS)) == set()


def test_a_kill_excuses_only_the_traces_of_that_moment() -> None:
    lossy = field("traces", "t_confirmed", None)(GOOD_BOOKS)
    killed = Restart("order-worker", at=1.5, signal="SIGKILL")

    assert broken_by(replace(lossy, restarts=[killed])) == set()
    assert broken_by(replace(lossy, restarts=[replace(killed, at=60.0)])) == {"traces_complete"}
    assert broken_by(replace(lossy, restarts=[replace(killed, signal=None)])) == {"traces_complete"}


def test_a_kill_excuses_nothing_where_it_is_known_what_it_took() -> None:
    lossy = field("traces", "t_confirmed", None)(GOOD_BOOKS)
    killed = Restart("order-worker", at=1.5, signal="SIGKILL")

    assert broken_by(replace(lossy, restarts=[killed], traces_have_lost=True)) == {
        "traces_complete"
    }


def test_a_step_that_nobody_was_told_of_is_not_missed_if_that_was_on_purpose() -> None:
    whole = GOOD_BOOKS.traces["t_cancelled"]
    assert whole
    deaf = Trace(tuple(span for span in whole.spans if span.name != "process order.placed"))
    told = told_to_order(GOOD_BOOKS, CANCELLED, "payment.voided")
    books = field("traces", "t_cancelled", deaf)(told)
    event = told.outboxes["order"][-1]
    again = {**event, "event_id": "e-8"}

    assert "traces_complete" in broken_by(books)
    assert broken_by(replace(books, planted_loss=frozenset({event["event_id"]}))) == set()
    told_again = replace(
        books,
        outboxes={**books.outboxes, "order": [*books.outboxes["order"], again]},
        planted_loss=frozenset({event["event_id"]}),
    )
    assert "traces_complete" in broken_by(told_again)


def test_what_was_lost_on_purpose_is_no_loss_and_everything_else_is() -> None:
    unheard = replace(GOOD_BOOKS, inboxes={"cart": {}})
    (event_id,) = GOOD_BOOKS.inboxes["cart"]

    assert broken_by(unheard) == {"messages_settled"}
    assert broken_by(replace(unheard, planted_loss=frozenset({event_id}))) == set()
    assert broken_by(replace(unheard, planted_loss=frozenset({"e-another"}))) == {
        "messages_settled"
    }


def test_what_was_lost_or_garbled_on_purpose_was_written_down_all_the_same() -> None:
    on_purpose = replace(GOOD_BOOKS, planted_loss=frozenset({"e-1"}))

    assert broken_by(published()(on_purpose)) == set()
    assert broken_by(published({**TOLD, "digest": "half"})(on_purpose)) == set()
    assert broken_by(published(TOLD, {**TOLD, "event_id": "e-9"})(on_purpose)) == {
        "published_as_written"
    }


def test_what_sns_took_is_judged_only_where_and_as_long_as_it_is_noted() -> None:
    """Nowhere else; not before that began, nor after it was read; twice is as good as once."""
    unheard = published()(GOOD_BOOKS)
    of_another_shop = {**TOLD, "event_id": "e-0", "at": 1.9}

    assert broken_by(replace(GOOD_BOOKS, publishes=None)) == set()
    assert broken_by(replace(unheard, publishes=Publishes(3.1, 9.0, ()))) == set()
    assert broken_by(replace(unheard, publishes=Publishes(2.0, 2.9, ()))) == set()
    assert broken_by(published(of_another_shop, TOLD, TOLD)(GOOD_BOOKS)) == set()


def test_traces_that_could_not_be_read_are_not_judged_and_the_books_are() -> None:
    unread = replace(GOOD_BOOKS, traces={}, traces_unread="ConnectError: refused")

    assert broken_by(unread) == set()
    assert broken_by(lost("provider_payments", CONFIRMED)(unread)) == {
        "money_matches", "ledger_in_pairs",
    }  # fmt: skip


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.UNKNOWN])
def test_an_attempt_that_was_refused_or_not_answered_breaks_nothing(outcome: Outcome) -> None:
    assert broken_by(replace(GOOD_BOOKS, operations=[attempt(outcome)])) == set()


def test_payment_may_hear_of_a_cancellation_when_the_stock_was_refused() -> None:
    heard = ("payment", "process order.cancellation_requested")
    asked = ("payment-provider", "POST /v1/payments")

    books = field("traces", "t_short", trace("t_short", "cancelled", heard))(GOOD_BOOKS)
    spoiled = field("traces", "t_short", trace("t_short", "cancelled", asked))(GOOD_BOOKS)

    assert broken_by(books) == set()
    assert broken_by(spoiled) == {"traces_complete"}


def test_who_leaves_without_ordering_breaks_nothing() -> None:
    assert broken_by(left_without_ordering(GOOD_BOOKS)) == set()


def test_a_basket_that_is_ordered_twice_is_two_orders_each_whole() -> None:
    declined_first = ordered_again(GOOD_BOOKS)

    assert broken_by(declined_first) == set()
    assert broken_by(lost("mails", CONFIRMED)(declined_first)) == {"one_mail_an_order"}


def test_a_write_is_judged_by_what_its_shopper_knew_before() -> None:
    """Refused; of the version that was read; begun before the other was answered; of others."""
    refused = filled(2.0, if_match=0, version=None)
    meant = filled(2.0, if_match=1, version=2)
    overlapping = filled(1.05, if_match=0, version=1)
    another = filled(2.0, if_match=0, version=1, customer_id="eve")
    blindly = filled(2.0, version=2)

    for second in (refused, meant, overlapping, another, blindly):
        operations = [filled(1.0, version=1), second]
        assert broken_by(replace(GOOD_BOOKS, operations=operations)) == set()


def test_what_may_happen_is_no_violation() -> None:
    """Two events or webhooks in turn; looks that overlap; a household that came again."""
    books = field("traces", "t_confirmed", with_effects(GOOD_BOOKS, "e-1", "e-2"))(GOOD_BOOKS)
    webhooks = with_effects(GOOD_BOOKS, "w-1", "w-2", said_as=WEBHOOK_ID)
    overlapping = [looked(1.0, "confirmed"), looked(1.05, "pending"), placed(1.02)]
    refused = Checkout("b-9", "household confirmed", "k-9", {"MUG-1": 1}, "t-9", 3.0, "refused")
    left = {**GOOD_BOOKS.carts, "confirmed": {"MUG-1": 1}}
    one_customer = {key: {**row, "customer_id": "ana"} for key, row in GOOD_BOOKS.orders.items()}

    assert broken_by(field("traces", "t_confirmed", webhooks)(GOOD_BOOKS)) == set()
    told = told_by(GOOD_BOOKS, "e-1", "e-2")
    assert broken_by(field("traces", "t_confirmed", told)(GOOD_BOOKS)) == set()
    assert broken_by(replace(books, operations=overlapping)) == set()
    came_again = [*books.checkouts, refused]
    assert broken_by(replace(books, checkouts=came_again, carts=left)) == set()
    answers = [{**row, "subject": "ana"} for row in books.answers]
    of_ana = replace(books, orders=one_customer, answers=answers, carts={"ana": {"MUG-1": 1}})
    assert broken_by(of_ana) == set()


def test_an_end_that_all_had_agreed_on_is_one() -> None:
    confirmed = told_to_order(GOOD_BOOKS, CONFIRMED, "stock.reserved", "payment.authorized")
    declined = told_to_order(GOOD_BOOKS, BAD_CARD, "payment.declined")
    asked_again = given_up(GOOD_BOOKS, CANCELLED, 1.0, 5.0)
    soon = given_up(GOOD_BOOKS, CANCELLED, 60.0)
    cancelled = [
        replace(looked(1.0), kind="cancel_order", order_id=CANCELLED, outcome=outcome)
        for outcome in (Outcome.OK, Outcome.UNKNOWN)
    ]

    for books in (confirmed, declined, asked_again, soon):
        assert "ended_for_a_reason" not in broken_by(books)
    for operation in cancelled:
        assert broken_by(replace(GOOD_BOOKS, operations=[operation])) == set()


def test_what_was_forgotten_in_time_is_not_missed() -> None:
    """The answer to a key after three days, what was sent after one week, a webhook after two."""
    later = {**GOOD_BOOKS.orders[CONFIRMED], "placed_at": 15 * 86400.0, "key": None}
    books = replace(
        GOOD_BOOKS, orders={**GOOD_BOOKS.orders, "o-later": later}, answers=(), webhooks={}
    )

    assert not broken_by(books) & {"answers_kept", "webhooks_kept"}
    sent_then, sent_lately = (
        replace(
            books, inboxes={"cart": {str(UUID(int=ms << 80 | 7 << 76 | 2 << 62)): "x"}}, outboxes={}
        )
        for ms in (8 * 86_400_000, 14 * 86_400_000)
    )
    assert "messages_settled" not in broken_by(sent_then)
    told = [{**TOLD, "event_id": "e-0", "at": at * 86400.0} for at in (8, 14)]
    outboxes = {"order": [{**EVENT, "published": True}]}
    for row, broken in zip(told, (False, True), strict=True):
        books = published(row)(replace(sent_then, outboxes=outboxes))
        assert ("published_as_written" in broken_by(books)) is broken
    assert "messages_settled" in broken_by(sent_lately)


def test_every_checker_says_what_it_cannot_see() -> None:
    assert {checker.name: checker.blind_to[-1:] for checker in CHECKERS} == {
        checker.name: "." for checker in CHECKERS
    }
