"""What may be said of a flow: each sentence holds where it should and fails where it should."""

from collections.abc import Callable
from pathlib import Path

import pytest
from harness.proof.flow import Flow
from harness.proof.flow_words import WORDS
from harness.traces.causality import Trace
from harness.traces.spans import LOST_WITH, Kind, Span, Status
from ledgers_for_tests import TRACE_ID, span_of

ROOT = span_of(0, "shopper", "checkout")
PLACED = span_of(1, "order", "publish order.placed", 0, kind=Kind.PRODUCER)
RESERVED = span_of(2, "inventory", "publish stock.reserved", 1, kind=Kind.PRODUCER)
EMPTIED = span_of(
    3, "cart", "process order.confirmed", 1, kind=Kind.CONSUMER,
    attributes={"app.event.id": "e-1", "app.effect": "applied"},
)  # fmt: skip
EMPTIED_AGAIN = span_of(
    4, "cart", "process order.confirmed", 1, kind=Kind.CONSUMER,
    attributes={"app.event.id": "e-1", "app.effect": "applied"},
)  # fmt: skip
LOST = span_of(5, "payment", "publish payment.captured", 0, attributes={LOST_WITH: "payment-7"})
FAILED = span_of(6, "payment", "POST", 0, status=Status.ERROR, status_message="503")
LEAK = span_of(7, "payment", "POST", 0, attributes={"card": "4242424242424242"})
ORPHAN = span_of(8, "payment", "capture", 99)
IN_ORDER = ["the order was placed", "the stock was reserved"]
PROVEN: tuple[str, ...] = ()

Say = Callable[[Flow], None]


def flow(*spans: Span, gaps: tuple[str, ...] = PROVEN, link: str = "") -> Flow:
    return Flow(Trace((ROOT, *spans)), gaps, link)


SENTENCES: dict[str, tuple[Say, Flow, Flow, str]] = {
    "happened": (
        lambda it: it.assert_happened("the order was placed") and None,
        flow(PLACED), flow(RESERVED), "'the order was placed' did not happen",
    ),
    "caused in order": (
        lambda it: it.assert_caused_in_order(IN_ORDER),
        flow(PLACED, RESERVED),
        flow(span_of(2, "inventory", RESERVED.name, 0), span_of(1, "order", PLACED.name, 2)),
        "not because of",
    ),
    "caused, and not first by itself": (
        lambda it: it.assert_caused_in_order(IN_ORDER),
        flow(PLACED, RESERVED),
        flow(PLACED, RESERVED, span_of(9, "inventory", RESERVED.name, 0)),
        "also not because of",
    ),
    "caused, and not side by side": (
        lambda it: it.assert_caused_in_order(IN_ORDER),
        flow(PLACED, RESERVED), flow(PLACED, span_of(2, "inventory", RESERVED.name, 0)),
        "not because of",
    ),
    "never": (
        lambda it: it.assert_never("the payment was captured", flow(LOST)),
        flow(PLACED), flow(span_of(9, "payment", "publish payment.captured", 0)), "happened",
    ),
    "never, with a control": (
        lambda it: it.assert_never("the payment was captured", flow(LOST)),
        flow(), flow(LOST), "happened",
    ),
    "exactly as often": (
        lambda it: it.assert_times("the order was placed", 1),
        flow(PLACED), flow(PLACED, span_of(9, "order", PLACED.name, 0)), "2 times, not 1",
    ),
    "within": (
        lambda it: it.assert_within(0.5, *IN_ORDER),
        flow(PLACED, RESERVED),
        flow(PLACED, span_of(2, "inventory", RESERVED.name, 1, start_ns=10**9)), "more than 0.5 s",
    ),
    "one trace": (
        lambda it: it.assert_one_trace(["the order was placed"]),
        flow(PLACED),
        flow(span_of(1, "order", PLACED.name, trace_id="b" * 32)), "a trace of its own",
    ),
    "attributes": (
        lambda it: it.assert_attributes("the cart was emptied", {"app.event.id": "e-1"}),
        flow(EMPTIED), flow(span_of(3, "cart", EMPTIED.name, 0)), "(none)",
    ),
    "effects once": (
        lambda it: it.assert_effects_once(),
        flow(EMPTIED), flow(EMPTIED, EMPTIED_AGAIN), "applied more than once",
    ),
    "any effect": (
        lambda it: it.assert_effects_once(), flow(EMPTIED), flow(), "no event took effect",
    ),
    "nothing failed": (
        lambda it: it.assert_clean(), flow(PLACED), flow(FAILED), "failed: payment: POST 503",
    ),
    "failed where expected": (
        lambda it: it.assert_failed_only([("payment", "POST")]),
        flow(FAILED), flow(), "did not fail, though it should",
    ),
    "no card data": (
        lambda it: it.assert_no_card_data(), flow(), flow(LEAK), "ending in 4242",
    ),
    "no orphan": (
        lambda it: it.assert_no_orphan(), flow(PLACED), flow(ORPHAN), "the cause is missing",
    ),
    "one beginning": (
        lambda it: it.assert_no_orphan(),
        flow(), flow(span_of(9, "order", "POST /orders")), "begins 2 times",
    ),
    "took no part": (
        lambda it: it.assert_took_no_part("cart"), flow(PLACED), flow(EMPTIED), "took part",
    ),
    "shape": (
        lambda it: it.assert_shape("shopper: checkout\n  order: publish order.placed", "x"),
        flow(PLACED), flow(RESERVED), "did not go the way",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("say", "good", "bad", "fault"), list(SENTENCES.values()), ids=list(SENTENCES)
)
def test_a_sentence_holds_where_it_should_and_fails_where_it_should(
    say: Say, good: Flow, bad: Flow, fault: str
) -> None:
    say(good)
    with pytest.raises(AssertionError) as failed:
        say(bad)

    assert fault in str(failed.value)
    assert "shopper: checkout" in str(failed.value)


NEGATIVES = (
    "never", "exactly as often", "effects once", "nothing failed", "failed where expected",
    "no card data", "took no part", "shape",
)  # fmt: skip


@pytest.mark.parametrize("name", NEGATIVES)
def test_a_negative_of_what_is_not_proven_is_inconclusive(name: str) -> None:
    say, good, _, _ = SENTENCES[name]
    unproven = Flow(good.trace, ("payment keeps no ledger of its spans",))

    with pytest.raises(AssertionError, match="inconclusive: payment keeps no ledger"):
        say(unproven)


def test_a_trace_that_nobody_proved_is_inconclusive_by_itself() -> None:
    with pytest.raises(AssertionError, match="inconclusive: nobody has proven"):
        Flow(Trace((ROOT,))).assert_took_no_part("payment")


def test_a_negative_without_a_control_is_inconclusive() -> None:
    with pytest.raises(AssertionError, match=r"inconclusive.*cannot be seen even where"):
        flow(PLACED).assert_never("the payment was captured", control=flow(PLACED))
    with pytest.raises(AssertionError, match="inconclusive"):
        flow(PLACED).assert_took_part("payment")


@pytest.mark.parametrize("name", ["effects once", "nothing failed", "no card data"])
def test_what_a_lost_span_did_is_known_to_nobody(name: str) -> None:
    say, good, _, _ = SENTENCES[name]

    with pytest.raises(AssertionError, match=r"inconclusive: payment: publish payment\.captured"):
        say(Flow(Trace((*good.trace.spans, LOST)), PROVEN))


@pytest.mark.parametrize(
    "unproven",
    [flow(PLACED, gaps=("payment keeps no ledger of its spans",)), flow(PLACED, LOST)],
    ids=["a gap", "a lost span"],
)
def test_the_way_of_a_flow_is_written_only_if_it_is_proven_complete(
    tmp_path: Path, unproven: Flow
) -> None:
    file = tmp_path / "flows" / "paid.txt"

    with pytest.raises(AssertionError, match="inconclusive"):
        unproven.write_shape(file, "paid", tmp_path)
    before = file.exists()
    flow(PLACED).write_shape(file, "paid", tmp_path)

    assert not before
    flow(PLACED).assert_shape(file.read_text(), "paid")


def test_a_lost_span_still_passes_the_cause_on() -> None:
    lost = span_of(1, "order", PLACED.name, 0, attributes={LOST_WITH: "order-web-7"})

    flow(lost, RESERVED).assert_caused_in_order(IN_ORDER)


def test_order_is_causal_whatever_the_clocks_say() -> None:
    """The inventory's clock is a second slow: its span seems to come first, and did not."""
    slow = span_of(2, "inventory", RESERVED.name, 1, start_ns=-(10**9), end_ns=0)

    flow(PLACED, slow).assert_caused_in_order(IN_ORDER)
    with pytest.raises(AssertionError, match="inconclusive: by their clocks"):
        flow(PLACED, slow).assert_within(5.0, *IN_ORDER)


def test_an_event_that_was_sent_twice_happened_once() -> None:
    first, again = (
        span_of(n, "order", PLACED.name, 0, attributes={"app.event.id": "e-1"}) for n in (1, 2)
    )

    flow(first, again).assert_times("the order was placed", 1)


def test_a_failure_marks_the_span_and_links_to_the_trace() -> None:
    with pytest.raises(AssertionError) as failed:
        flow(PLACED, FAILED, link="http://traces/trace/a").assert_clean()

    said = str(failed.value).splitlines()
    assert said[1] == "look at it: http://traces/trace/a"
    assert [line for line in said if line.startswith("──▶")] == ["──▶   payment: POST 1.0 ms ✗ 503"]


def test_what_did_not_happen_is_marked_where_its_service_was_last_seen() -> None:
    with pytest.raises(AssertionError) as failed:
        flow(PLACED).assert_happened("the order was confirmed")

    assert "──▶   order: publish order.placed" in str(failed.value)


def test_an_unknown_word_is_a_mistake_of_the_feature() -> None:
    with pytest.raises(KeyError, match="not one of the words"):
        flow().assert_caused_in_order(["the moon rose"])


def test_no_two_words_mean_the_same() -> None:
    assert len(set(WORDS.values())) == len(WORDS)
    assert all(span.trace_id == TRACE_ID for span in (ROOT, PLACED))
