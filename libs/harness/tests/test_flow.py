"""What may be said of a flow: each sentence holds where it should and fails where it should."""

import pytest
from books_for_tests import span
from harness.flow import Flow, Whole
from harness.spans import Kind, Span
from harness.traces import Trace

PLACED = ("order", "publish order.placed", Kind.PRODUCER)
RESERVED = ("inventory", "publish stock.reserved", Kind.PRODUCER)
CONSUMERS = {"order.placed": frozenset({"inventory"})}


def chain(*steps: tuple[str, str, Kind], **attributes: str) -> Trace:
    """A trace in which each step is the child of the one before."""
    spans: list[Span] = []
    for number, (service, name, kind) in enumerate(steps):
        spans.append(
            Span(
                trace_id="t", span_id=f"{number:016x}",
                parent_span_id=spans[-1].span_id if spans else None,
                name=name, kind=kind, service=service, start_ns=number, end_ns=number + 1,
                attributes=attributes,
            )
        )  # fmt: skip
    return Trace(tuple(spans))


ROOT = ("shopper", "checkout", Kind.INTERNAL)


def test_what_was_caused_in_order_is_found_so() -> None:
    Flow(chain(ROOT, PLACED, RESERVED)).assert_caused_in_order(
        ["the order was placed", "the stock was reserved"]
    )


@pytest.mark.parametrize(
    ("trace", "fault"),
    [
        (chain(ROOT, PLACED), "did not happen"),
        (chain(ROOT, RESERVED, PLACED), "not because of"),
        (Trace((span("t", 0, *ROOT[:2]), span("t", 1, *PLACED[:2]), span("t", 2, *RESERVED[:2]))),
         "not because of"),
    ],
    ids=["missing", "the other way round", "side by side"],
)  # fmt: skip
def test_what_was_not_caused_in_order_fails_with_the_tree(trace: Trace, fault: str) -> None:
    with pytest.raises(AssertionError, match=fault) as failed:
        Flow(trace).assert_caused_in_order(["the order was placed", "the stock was reserved"])

    assert "shopper: checkout" in str(failed.value)


def test_an_unknown_word_is_a_mistake_of_the_feature() -> None:
    with pytest.raises(KeyError, match="not one of the words"):
        Flow(chain(ROOT)).assert_caused_in_order(["the moon rose"])


def test_an_event_applied_twice_fails() -> None:
    step = ("cart", "process order.confirmed", Kind.CONSUMER)
    attributes = {"app.event.id": "e-1", "app.effect": "applied"}

    Flow(chain(ROOT, step, **attributes)).assert_effects_once()
    with pytest.raises(AssertionError, match="more than once"):
        Flow(chain(ROOT, step, step, **attributes)).assert_effects_once()
    with pytest.raises(AssertionError, match="no event"):
        Flow(chain(ROOT)).assert_effects_once()


def test_a_negative_needs_its_positive_control() -> None:
    flow = Flow(chain(ROOT, PLACED))

    flow.assert_took_no_part("payment")
    with pytest.raises(AssertionError, match="inconclusive"):
        flow.assert_took_part("payment")
    with pytest.raises(AssertionError, match="took part"):
        flow.assert_took_no_part("order")


def test_a_trace_is_whole_only_when_every_consumer_has_heard() -> None:
    whole = Whole("cancelled", CONSUMERS)

    missing = whole.missing(chain(ROOT, PLACED))

    assert "inventory: process order.placed" in missing
    assert not whole(chain(ROOT, PLACED))
