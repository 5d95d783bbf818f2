"""Every checkout left one whole trace: all its steps, no span without its parent, no card data.
Where nobody knows how it went, or nothing came of it, only the last.

It cannot see what a span does not say; of spans lost with a killed process only names are known.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import chain

from harness.audit.books import UNKNOWN, Books, Checkout
from harness.audit.checkers.violation import Violation
from harness.traces.card_data import no_card_data
from harness.traces.causality import Trace
from harness.traces.conventions import process_span

# Which steps each outcome must have taken, to the last: (service, span).
STEPS: dict[str, frozenset[tuple[str, str]]] = {
    "confirmed": frozenset(
        {
            ("order", "POST /orders"),
            ("inventory", "process order.placed"),
            ("payment", "process stock.reserved"),
            ("order", "process payment.authorized"),
            ("inventory", "process order.confirmed"),
            ("payment", "process order.confirmed"),
            ("notification", "process order.confirmed"),
            ("notification", "publish notification.sent"),
            ("cart", "process order.confirmed"),
            ("order", "process stock.committed"),
            ("order", "process payment.captured"),
        }
    ),
    "cancelled": frozenset(
        {
            ("order", "POST /orders"),
            ("inventory", "process order.placed"),
            ("inventory", "process order.cancelled"),
            ("notification", "process order.cancelled"),
            ("notification", "publish notification.sent"),
        }
    ),
    "abandoned": frozenset({("cart", "PUT /cart")}),
}
# What must never happen without stock: money is asked for what can be delivered. (Payment may
# still hear that the customer wants to cancel.)
MONEY_ASKED = ("payment", "process stock.reserved")
PROVIDER = "payment-provider"
# A killed process takes the spans with it that it had not yet sent. Its span exporter sends
# every 0.2 s, and a message it held is handled within this long by whoever comes after it.
EXCUSED_S = 2.0


def check(books: Books) -> Iterator[Violation]:
    if books.traces_unread:
        return  # Nothing is known of them, good or bad.
    unheard = _never_heard(books)
    for checkout in (as_in_books(books, checkout) for checkout in books.checkouts):
        if not _excused(books, checkout):
            trace = books.traces.get(checkout.trace_id)
            for fault in faults(trace, checkout, unheard.get(checkout.order_id or "", set())):
                yield Violation(
                    f"the trace of a {checkout.outcome} checkout is not whole or not clean",
                    checkout.order_id,
                    checkout.trace_id,
                    expected="one root, every step, no orphan, no card data",
                    found=f"{fault} (of {len(trace.spans) if trace else 0} spans)",
                )


def _never_heard(books: Books) -> dict[str, set[str]]:
    """By order, the spans that would handle events of which each was lost on purpose.

    A customer may cancel before the order was told a second time.
    """
    lost: dict[str, set[str]] = defaultdict(set)
    told: dict[str, set[str]] = defaultdict(set)
    for event in chain.from_iterable(books.outboxes.values()):
        of_order = lost if event["event_id"] in books.planted_loss else told
        of_order[event["subject"]].add(process_span(event["event_type"]))
    return {order_id: names - told[order_id] for order_id, names in lost.items()}


def faults(trace: Trace | None, checkout: Checkout, unheard: Collection[str] = ()) -> Iterator[str]:
    """What is wrong with the trace of a checkout that ended as it did.

    unheard: names of spans that need not be there.
    """
    if checkout.outcome in STEPS:
        yield from _missing(trace, checkout, unheard)
    for leak in no_card_data(trace) if trace else ():
        yield f"card data in the trace: {leak}"


def as_in_books(books: Books, checkout: Checkout) -> Checkout:
    """How it ended, where its shopper was promised an order and never heard what became of it."""
    order = books.orders.get(checkout.order_id or "")
    if checkout.outcome != UNKNOWN or order is None:
        return checkout
    return replace(checkout, outcome=order["status"], reason=order["cancel_reason"])


def _missing(trace: Trace | None, checkout: Checkout, unheard: Collection[str]) -> Iterator[str]:
    if trace is None:
        yield "no trace is stored"
        return
    if len(trace.roots) != 1:
        yield f"the trace has {len(trace.roots)} roots"
    orphans = trace.orphans()
    if orphans:
        names = sorted({f"{span.service}: {span.name}" for span in orphans})
        yield f"{len(orphans)} spans without their parent: {', '.join(names)}"
    seen = {(span.service, span.name) for span in trace.spans}
    for service, name in sorted(STEPS[checkout.outcome] - seen):
        if name in unheard:
            continue
        yield f"{service} left no span `{name}`"
    asked = MONEY_ASKED in seen or PROVIDER in trace.services()
    if checkout.reason == "out_of_stock" and asked:
        yield "payment was asked although the stock was refused"


def excused(books: Books) -> int:
    """How many checkouts were under way while one of our processes was killed."""
    return sum(_excused(books, checkout) for checkout in books.checkouts)


def _excused(books: Books, checkout: Checkout) -> bool:
    if books.traces_have_lost:
        return False  # What was lost is known, so nothing has to be guessed.
    entries = books.order_history.get(checkout.order_id or "", ())
    finished_at = max((entry["at"] for entry in entries), default=checkout.started_at)
    return any(
        restart.signal is not None
        and checkout.started_at - EXCUSED_S <= restart.at <= finished_at + EXCUSED_S
        for restart in books.restarts
    )
