"""Which checkouts are shown whole, and the reasons that are given."""

from collections.abc import Sequence
from dataclasses import replace

from harness.audit.books import Books, Checkout
from harness.audit.checkers import CHECKERS, Finding
from harness.audit.checkers.violation import Violation
from harness.traces.causality import Trace
from harness.traces.conventions import EFFECT, EFFECT_DUPLICATE
from harness.traces.spans import Kind, Span, Status
from simulators.checkout import exhibits
from simulators.checkout.exhibits import Exhibit
from simulators.checkout.results import outcome_of


def checkout(number: int, outcome: str = "confirmed") -> Checkout:
    return Checkout("b", "h", "k", {}, f"t-{number}", 0.0, outcome, f"o-{number}")


def span(number: int, *, failed: bool = False, effect: str | None = None) -> Span:
    return Span(
        "t",
        f"{number:016x}",
        None,
        "POST /orders",
        Kind.SERVER,
        "order",
        number,
        number + 1,
        status=Status.ERROR if failed else Status.UNSET,
        attributes={EFFECT: effect} if effect else {},
    )


def plain(spans: int) -> Trace:
    return Trace(tuple(span(number) for number in range(spans)))


def chosen(
    traces: Sequence[Trace | None],
    *,
    broken: Sequence[Violation] = (),
    slowest: Sequence[tuple[Checkout, float]] = (),
    outcomes: Sequence[str] = (),
) -> list[Exhibit]:
    checkouts = [checkout(number, *outcomes[number : number + 1]) for number in range(len(traces))]
    books = Books(
        checkouts=checkouts,
        traces={c.trace_id: trace for c, trace in zip(checkouts, traces, strict=True)},
    )
    findings = [Finding(CHECKERS[0], list(broken))]
    return exhibits.choose(books, checkouts, findings, slowest, outcome_of)


def test_where_all_are_alike_nobody_is_strange() -> None:
    assert chosen([plain(3)] * 5) == []


def test_the_strangest_come_first_and_say_what_is_strange() -> None:
    twice = Trace((span(0), span(1), span(2, effect=EFFECT_DUPLICATE)))
    failed = Trace((span(0), span(1, failed=True), span(2, effect=EFFECT_DUPLICATE)))

    shown = chosen([plain(3), plain(3), twice, plain(4), plain(3), failed, plain(3)])

    assert [(e.order_id, len(e.why)) for e in shown] == [("o-5", 2), ("o-2", 1), ("o-3", 1)]
    assert shown[2].why == ("strange: 4 spans; of “confirmed”, the median is 3",)


def test_a_checkout_is_compared_with_those_that_ended_alike() -> None:
    traces = [plain(9), plain(9), plain(2), plain(2)]

    assert chosen(traces, outcomes=["confirmed", "confirmed", "cancelled", "cancelled"]) == []


def test_it_is_said_when_a_trace_began_after_the_first_checkout() -> None:
    late = Trace((replace(span(1), start_ns=2_500_000_000, end_ns=3_000_000_000),))

    [shown] = chosen([plain(1), late], slowest=[(checkout(1), 2312.4)])

    assert shown.at_s == 2.5


def test_each_is_shown_once_with_every_reason() -> None:
    broken = [Violation("it is wrong", "o-1", "t-1"), Violation("it is wrong too", "o-1", "t-1")]

    [shown] = chosen([plain(2), plain(2)], broken=broken, slowest=[(checkout(1), 2312.4)])

    assert shown.why == (
        f"breaks {CHECKERS[0].name}",
        "slow: 2,312 ms from placed to confirmed",
    )
    assert (shown.spans, len(shown.bars)) == (2, 2)


def test_of_one_invariant_only_so_many_are_shown() -> None:
    traces = [plain(2)] * 30
    broken = [Violation("it is wrong", None, f"t-{number}") for number in range(30)]

    assert len(chosen(traces, broken=broken)) == exhibits.VIOLATING_MAX


def test_a_violation_without_a_stored_trace_has_nothing_to_show() -> None:
    assert chosen([None], broken=[Violation("no trace is stored", "o-0", "t-0")]) == []
