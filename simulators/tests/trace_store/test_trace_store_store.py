"""Memory is bounded, the oldest traces leave, and nothing is kept twice."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from simulators.trace_store.store import Source, Store
from simulators.trace_store.wire import read_request

MakeSpan = Callable[..., Span]


def test_a_span_that_comes_again_is_dropped(running: Any, span: MakeSpan) -> None:
    running.send(span(1, 1), span(1, 2))

    running.send(span(1, 2), span(1, 3))

    assert [stored["name"] for stored in running.spans(1)] == ["span 1", "span 2", "span 3"]
    assert running.store.stats().spans == 3
    assert running.store.stats().duplicates == 1


def test_the_same_span_id_in_another_trace_is_another_span(running: Any, span: MakeSpan) -> None:
    running.send(span(1, 1), span(2, 1))

    assert len(running.spans(1)) == len(running.spans(2)) == 1


def test_the_oldest_trace_makes_room(running_with: Any, span: MakeSpan) -> None:
    running = running_with(max_traces=2)
    running.send(span(1, 1))
    running.send(span(2, 1))

    running.send(span(1, 2), span(3, 1))

    assert running.get(f"/api/v3/traces/{1:032x}").status_code == 404
    assert len(running.spans(2)) == len(running.spans(3)) == 1
    assert running.get("/stats").get_json()["evicted"] == 1
    assert running.get("/stats").get_json()["spans"] == 2


def test_bytes_are_bounded(running_with: Any, span: MakeSpan) -> None:
    running = running_with(max_bytes=50_000)

    for trace in range(1, 101):
        running.send(span(trace, 1, name="x" * 2_000))

    stats = running.store.stats()
    assert 40_000 < stats.bytes <= 50_000
    assert stats.traces == stats.spans == 100 - stats.evicted
    assert len(running.spans(100)) == 1


def test_a_trace_too_large_to_keep_is_not_kept(running_with: Any, span: MakeSpan) -> None:
    running = running_with(max_bytes=1_000)

    running.send(span(1, 1, name="x" * 2_000))

    assert running.store.stats().traces == running.store.stats().bytes == 0


def test_stats_count_what_is_there(running: Any, span: MakeSpan) -> None:
    running.send(span(1, 1), span(1, 2), span(2, 1))

    stats = running.get("/stats").get_json()

    assert {name: stats[name] for name in ("traces", "spans", "evicted", "duplicates")} == {
        "traces": 2, "spans": 3, "evicted": 0, "duplicates": 0,
    }  # fmt: skip
    assert stats["bytes"] > 3 * len(span(1, 1).SerializeToString())


def test_a_source_is_kept_once_and_no_longer_than_its_spans(
    span: MakeSpan, request_of: Callable[..., bytes]
) -> None:
    store = Store(max_traces=2, max_bytes=10**6)

    for trace in range(1, 4):
        store.add(read_request(request_of(span(trace, 1), service="cart")))
    kept: set[Source] = {source for trace in store.recent(9) for source in trace}
    for trace in range(4, 6):
        store.add(read_request(request_of(span(trace, 1), service="order")))

    assert len(kept) == 1
    kept.clear()
    assert len(store._sources) == 1  # That of `order`; nothing else holds the one of `cart`.


@pytest.mark.parametrize("spans_of_each", [3, 60])
def test_the_bytes_we_count_are_those_the_interpreter_takes(
    span: MakeSpan, request_of: Callable[..., bytes], spans_of_each: int
) -> None:
    bodies = [
        request_of(*(span(trace, n + 1, name="x" * 300) for n in range(spans_of_each)))
        for trace in range(1, 301)
    ]
    store = Store(max_traces=1_000, max_bytes=10**9)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()

    for body in bodies:
        store.add(read_request(body))

    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / store.stats().bytes == pytest.approx(1, abs=0.25)
