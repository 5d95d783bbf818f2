"""A flow is frozen when it is over and stored, and every way of not being so is told apart."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.proof import quiescence
from harness.proof.flow import Flow
from harness.proof.quiescence import (
    NO_BOOKS,
    NO_LEDGER,
    TOO_MANY,
    TRACES_MAX,
    Barrier,
    TraceIncomplete,
)
from harness.traces.conventions import EVENT_ID
from harness.traces.spans import Kind, Link, Span
from ledgers_for_tests import TRACE_ID, LedgerFile, Store, barrier, span_of

SOON_S = 0.2
ORDERED = span_of(0, "order", "POST /orders")
PAID = span_of(1, "payment", "process stock.reserved", 0)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spans"


@pytest.fixture
def order(directory: Path) -> Iterator[LedgerFile]:
    ledger = LedgerFile(directory, "order", "web")
    yield ledger
    ledger.die()


@pytest.fixture
def payment(directory: Path) -> Iterator[LedgerFile]:
    ledger = LedgerFile(directory, "payment", "worker")
    yield ledger
    ledger.die()


def why_not(barrier: Barrier) -> str:
    with pytest.raises(TraceIncomplete) as failed:
        barrier.freeze(TRACE_ID, SOON_S)
    return str(failed.value)


def test_a_flow_whose_every_span_is_stored_is_proven(
    directory: Path, order: LedgerFile, payment: LedgerFile
) -> None:
    order.whole(ORDERED)
    payment.whole(PAID)

    frozen = barrier(Store(ORDERED, PAID), directory).freeze(TRACE_ID, SOON_S)

    assert frozen.trace.spans == (ORDERED, PAID)
    assert (frozen.gaps, frozen.lost, frozen.mark) == ((), (), 2)


def test_a_late_span_is_waited_for(directory: Path, order: LedgerFile, payment: LedgerFile) -> None:
    order.whole(ORDERED)
    payment.whole(PAID)
    store = Store(ORDERED, later=[PAID], after=2)

    frozen = barrier(store, directory).freeze(TRACE_ID)

    assert len(frozen.trace.spans) == 2
    assert store.reads == 3


def test_a_span_that_was_dropped_is_named(
    directory: Path, order: LedgerFile, payment: LedgerFile
) -> None:
    order.whole(ORDERED)
    payment.whole(PAID)

    said = why_not(barrier(Store(ORDERED), directory))

    assert "payment: process stock.reserved ended in payment-worker-7 and is not stored" in said
    assert "order: POST /orders" in said


def test_a_span_that_still_runs_is_named(
    directory: Path, order: LedgerFile, payment: LedgerFile
) -> None:
    order.whole(ORDERED)
    payment.begin(PAID)

    assert "payment: process stock.reserved is still running" in why_not(
        barrier(Store(ORDERED), directory)
    )


def test_what_waits_in_the_shop_is_named(
    directory: Path, order: LedgerFile, payment: LedgerFile
) -> None:
    order.whole(ORDERED)

    said = why_not(barrier(Store(ORDERED), directory, stirring=lambda _: ["a message is on cart"]))

    assert "a message is on cart" in said


def test_what_began_between_two_looks_is_not_overlooked(
    directory: Path, order: LedgerFile, payment: LedgerFile
) -> None:
    order.whole(ORDERED)
    seen: list[str] = []

    def stirring(trace_id: str) -> list[str]:
        """Its message was handled while we looked: nothing waits, and another span is there."""
        if not seen:
            payment.whole(PAID)
        seen.append(trace_id)
        return []

    frozen = barrier(Store(ORDERED, PAID), directory, stirring=stirring).freeze(TRACE_ID)

    assert len(seen) == 2
    assert frozen.trace.spans == (ORDERED, PAID)


@pytest.mark.usefixtures("order")
def test_a_trace_that_no_ledger_knows_is_not_over(directory: Path) -> None:
    assert "no ledger knows this trace" in why_not(barrier(Store(ORDERED), directory))


def test_what_a_killed_process_took_with_it_is_known_by_name(
    monkeypatch: pytest.MonkeyPatch, directory: Path, order: LedgerFile, payment: LedgerFile
) -> None:
    monkeypatch.setattr(quiescence, "LOST_AFTER_S", 0.0)
    order.whole(ORDERED)
    payment.whole(PAID)
    payment.die()

    frozen = barrier(Store(ORDERED), directory).freeze(TRACE_ID)

    assert [str(entry) for entry in frozen.lost] == ["payment: process stock.reserved"]
    assert "payment-worker-7 (pid 7), which was killed" in frozen.lost[0].keeper.fate()
    with pytest.raises(AssertionError, match=r"inconclusive: .*process stock\.reserved was"):
        Flow.of(frozen).assert_whole()
    with pytest.raises(AssertionError, match="took part"):
        Flow.of(frozen).assert_took_no_part("payment")


def test_a_process_that_ended_well_without_a_flush_is_told_from_a_killed_one(
    monkeypatch: pytest.MonkeyPatch, directory: Path, order: LedgerFile, payment: LedgerFile
) -> None:
    monkeypatch.setattr(quiescence, "LOST_AFTER_S", 0.0)
    order.whole(ORDERED)
    payment.whole(PAID)
    payment.write(".")
    payment.die()

    (lost,) = barrier(Store(ORDERED), directory).freeze(TRACE_ID).lost

    assert "ended without sending all it had" in lost.keeper.fate()


def test_what_a_process_sent_right_before_it_was_killed_may_take_a_moment(
    directory: Path, order: LedgerFile, payment: LedgerFile
) -> None:
    order.whole(ORDERED)
    payment.whole(PAID)
    payment.die()

    frozen = barrier(Store(ORDERED, later=[PAID], after=2), directory).freeze(TRACE_ID)

    assert not frozen.lost


@pytest.mark.usefixtures("payment")
def test_a_service_without_a_ledger_leaves_a_gap(directory: Path, order: LedgerFile) -> None:
    order.whole(ORDERED)

    frozen = barrier(Store(ORDERED, span_of(5, "mailbox", "SMTP")), directory).freeze(TRACE_ID)

    assert frozen.gaps == ("mailbox keeps no ledger of its spans",)


def test_a_process_that_must_keep_a_ledger_and_does_not_leaves_a_gap(
    directory: Path, order: LedgerFile
) -> None:
    order.whole(ORDERED)

    frozen = barrier(Store(ORDERED), directory).freeze(TRACE_ID)

    assert frozen.gaps == ("no ledger of payment's worker process",)


def test_a_shop_without_ledgers_is_read_and_never_proven() -> None:
    frozen = barrier(Store(ORDERED, PAID), None).freeze(TRACE_ID)

    assert frozen.trace.spans == (ORDERED, PAID)
    assert frozen.gaps == (NO_LEDGER,)
    with pytest.raises(AssertionError, match="inconclusive: the shop keeps no span ledger"):
        Flow.of(frozen).assert_took_no_part("cart")


def test_a_shop_whose_books_are_closed_is_never_proven(
    directory: Path, order: LedgerFile, payment: LedgerFile
) -> None:
    order.whole(ORDERED)

    frozen = barrier(Store(ORDERED), directory, stirring=None).freeze(TRACE_ID)

    assert frozen.gaps == (NO_BOOKS,)


def test_without_ledgers_an_orphan_is_waited_for() -> None:
    assert "the parent of payment: process stock.reserved" in why_not(barrier(Store(PAID), None))


def test_whoever_has_not_heard_an_event_is_named(
    directory: Path, order: LedgerFile, payment: LedgerFile
) -> None:
    said = span_of(1, "order", "publish order.placed", 0, kind=Kind.PRODUCER,
                   attributes={EVENT_ID: "e-1"})  # fmt: skip
    order.whole(ORDERED, said)
    consumers = {"order.placed": frozenset({"payment"})}

    deaf = why_not(barrier(Store(ORDERED, said), directory, consumers=consumers))

    assert "payment has not heard order.placed (e-1)" in deaf
    heard = span_of(2, "payment", "process order.placed", 1, kind=Kind.CONSUMER,
                    attributes={EVENT_ID: "e-1"})  # fmt: skip
    payment.whole(heard)
    store = Store(ORDERED, said, heard)
    assert not barrier(store, directory, consumers=consumers).freeze(TRACE_ID).gaps


def test_the_closure_follows_links_both_ways(
    directory: Path, order: LedgerFile, payment: LedgerFile
) -> None:
    """A refund in a trace of its own links to the checkout, and the checkout to another."""
    ours = span_of(0, "order", "POST /orders", links=(Link("b" * 32, "0" * 16),))
    led_to = span_of(0, "order", "quote", trace_id="b" * 32)
    led_from = span_of(3, "payment", "refund", trace_id="c" * 32, links=(Link(TRACE_ID, "0" * 16),))
    alien = span_of(4, "payment", "refund", trace_id="d" * 32)
    order.whole(ours, led_to)
    payment.whole(led_from, alien)

    frozen = barrier(Store(ours, led_to, led_from, alien), directory).freeze(TRACE_ID)

    assert frozen.trace.trace_ids == {TRACE_ID, "b" * 32, "c" * 32}


def chain(length: int) -> list[Span]:
    """As many traces, of one span each, that each links to the next; the first is ours."""
    ids = [TRACE_ID, *(f"{number:032x}" for number in range(1, length))]
    return [
        span_of(0, "order", "work", trace_id=id_, links=tuple(Link(i, "0" * 16) for i in linked))
        for id_, linked in zip(ids, [*([i] for i in ids[1:]), []], strict=True)
    ]


@pytest.mark.usefixtures("payment")
def test_a_flow_of_more_traces_than_are_followed_is_not_proven(
    directory: Path, order: LedgerFile
) -> None:
    order.whole(*chain(60))

    frozen = barrier(Store(*chain(60)), directory).freeze(TRACE_ID)

    assert TRACES_MAX <= len(frozen.trace.trace_ids) < 60
    assert frozen.gaps == (TOO_MANY,)
    with pytest.raises(AssertionError, match="inconclusive: more than 50 traces hang together"):
        Flow.of(frozen).assert_whole()


@pytest.mark.usefixtures("payment")
def test_a_flow_of_as_many_traces_as_are_followed_is_proven(
    directory: Path, order: LedgerFile
) -> None:
    order.whole(*chain(TRACES_MAX))

    frozen = barrier(Store(*chain(TRACES_MAX)), directory).freeze(TRACE_ID)

    assert len(frozen.trace.trace_ids) == TRACES_MAX
    assert not frozen.gaps


def test_without_ledgers_a_flow_of_too_many_traces_says_so_too() -> None:
    frozen = barrier(Store(*chain(60)), None).freeze(TRACE_ID)

    assert frozen.gaps == (TOO_MANY, NO_LEDGER)


def test_a_frozen_flow_is_kept_until_something_begins_in_it(
    directory: Path, order: LedgerFile, payment: LedgerFile
) -> None:
    order.whole(ORDERED)
    freezer = barrier(Store(ORDERED), directory)
    frozen = freezer.freeze(TRACE_ID)

    kept = freezer.is_still(frozen)
    payment.begin(PAID)

    assert kept
    assert not freezer.is_still(frozen)


def test_the_cost_is_told_in_parts(directory: Path, order: LedgerFile, payment: LedgerFile) -> None:
    order.whole(ORDERED)

    cost = barrier(Store(ORDERED), directory).freeze(TRACE_ID).cost

    assert cost is not None
    assert (cost.looks, cost.spans) == (1, 1)
    assert cost.working_ms > 0
    assert "waiting 0.0 ms" in str(cost)
