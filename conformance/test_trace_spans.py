"""One span comes back as it was sent: read raw, and decoded as the harness decodes it."""

from typing import Any

import pytest
from harness.traces.spans import Kind, Status
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status as SentStatus

from conformance.otlp import (
    ENCODINGS,
    MS,
    START_NS,
    TraceBackend,
    attribute,
    new_trace_id,
    read_one,
    request_of,
    span,
    spans_of,
)

OTHER_TRACE, OTHER_SPAN = "ab" * 16, "cd" * 8
# Beyond what JavaScript's numbers hold exactly; and the two ends of a 64-bit integer.
BIG_INTS = (2**53 + 1, 2**63 - 1, -(2**63))


@pytest.mark.parametrize("how", ENCODINGS)
def test_a_span_comes_back_whole(traces: TraceBackend, how: str) -> None:
    trace_id = new_trace_id()
    sent = span(
        trace_id,
        1,
        parent=7,
        kind=SentSpan.SPAN_KIND_CONSUMER,
        trace_state="a=1",
        flags=0x101,
        attributes=[attribute("app.event.type", string_value="order.placed")],
        events=[SentSpan.Event(time_unix_nano=START_NS + 5, name="retried")],
        links=[
            SentSpan.Link(
                trace_id=bytes.fromhex(OTHER_TRACE),
                span_id=bytes.fromhex(OTHER_SPAN),
                trace_state="b=2",
                flags=1,
            )
        ],
        status=SentStatus(code=SentStatus.STATUS_CODE_ERROR, message="boom"),
        dropped_attributes_count=1,
        dropped_events_count=2,
        dropped_links_count=3,
    )

    traces.send(request_of(sent), how)

    [found] = spans_of(traces.stored(trace_id))
    assert found == {
        "traceId": trace_id,
        "spanId": "0000000000000001",
        "parentSpanId": "0000000000000007",
        "traceState": "a=1",
        "flags": 0x101,
        "name": "span 1",
        "kind": 5,
        "startTimeUnixNano": str(START_NS + MS),
        "endTimeUnixNano": str(START_NS + 3 * MS),
        "attributes": [{"key": "app.event.type", "value": {"stringValue": "order.placed"}}],
        "droppedAttributesCount": 1,
        "events": [{"timeUnixNano": str(START_NS + 5), "name": "retried"}],
        "droppedEventsCount": 2,
        "links": [{"traceId": OTHER_TRACE, "spanId": OTHER_SPAN, "traceState": "b=2", "flags": 1}],
        "droppedLinksCount": 3,
        "status": {"code": 2, "message": "boom"},
    }


def test_what_a_span_has_not_is_left_out(traces: TraceBackend) -> None:
    trace_id = new_trace_id()

    traces.send(request_of(span(trace_id, 1, kind=SentSpan.SPAN_KIND_UNSPECIFIED, name="")))

    [found] = spans_of(traces.stored(trace_id))
    times = {"startTimeUnixNano": str(START_NS + MS), "endTimeUnixNano": str(START_NS + 3 * MS)}
    assert found == {"traceId": trace_id, "spanId": "0000000000000001", "status": {}, **times}


@pytest.mark.parametrize("kind", Kind)
def test_a_span_keeps_its_kind(traces: TraceBackend, kind: Kind) -> None:
    assert read_one(traces, kind=list(Kind).index(kind)).kind is kind


@pytest.mark.parametrize("status", Status)
def test_a_span_keeps_its_status_and_its_words(traces: TraceBackend, status: Status) -> None:
    sent = SentStatus(code=list(Status).index(status), message="words")  # type: ignore[arg-type]

    found = read_one(traces, status=sent)

    assert (found.status, found.status_message) == (status, "words")


def test_times_keep_every_nanosecond(traces: TraceBackend) -> None:
    found = read_one(
        traces,
        start_time_unix_nano=START_NS,
        end_time_unix_nano=START_NS + 1,
        events=[SentSpan.Event(time_unix_nano=START_NS, name="now")],
    )

    assert (found.start_ns, found.end_ns, found.events[0].time_ns) == (
        START_NS,
        START_NS + 1,
        START_NS,
    )


def test_a_span_that_ends_before_it_begins_is_shown_as_it_was_sent(traces: TraceBackend) -> None:
    found = read_one(traces, start_time_unix_nano=START_NS, end_time_unix_nano=START_NS - 1)

    assert found.end_ns == START_NS - 1


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param({"string_value": "ü 🛒"}, "ü 🛒", id="string"),
        pytest.param({"string_value": ""}, "", id="empty-string"),
        pytest.param({"bool_value": False}, False, id="bool"),
        pytest.param({"int_value": 0}, 0, id="zero"),
        pytest.param({"double_value": 0.1}, 0.1, id="double"),
        pytest.param({"double_value": 3.0}, 3.0, id="whole-double"),
        pytest.param({"double_value": float("inf")}, float("inf"), id="infinity"),
        pytest.param({"bytes_value": b"\x00\xff"}, b"\x00\xff", id="bytes"),
        pytest.param({}, None, id="nothing"),
        pytest.param({"array_value": ArrayValue()}, [], id="empty-array"),
        pytest.param(
            {"array_value": ArrayValue(values=[AnyValue(string_value="x"), AnyValue(int_value=1)])},
            ["x", 1],
            id="array",
        ),
        pytest.param(
            {"kvlist_value": KeyValueList(values=[attribute("k", bool_value=True)])},
            {"k": True},
            id="map",
        ),
    ],
)
def test_an_attribute_keeps_its_type(traces: TraceBackend, sent: Any, expected: Any) -> None:
    found = read_one(traces, attributes=[KeyValue(key="it", value=AnyValue(**sent))])

    assert found.attributes == {"it": expected}
    assert type(found.attributes["it"]) is type(expected)


@pytest.mark.parametrize("number", BIG_INTS, ids=["over-53-bits", "greatest", "least"])
def test_a_large_integer_loses_no_digit(traces: TraceBackend, number: int) -> None:
    trace_id = new_trace_id()

    traces.send(request_of(span(trace_id, 1, attributes=[attribute("it", int_value=number)])))

    [found] = spans_of(traces.stored(trace_id))
    assert found["attributes"] == [{"key": "it", "value": {"intValue": str(number)}}]


def test_links_and_events_keep_their_attributes(traces: TraceBackend) -> None:
    why = [attribute("why", string_value="queue")]
    link = SentSpan.Link(
        trace_id=bytes.fromhex(OTHER_TRACE), span_id=bytes.fromhex(OTHER_SPAN), attributes=why
    )

    found = read_one(
        traces, links=[link], events=[SentSpan.Event(name="it", attributes=why, time_unix_nano=1)]
    )

    assert found.links[0].key == (OTHER_TRACE, OTHER_SPAN)
    assert found.links[0].attributes == found.events[0].attributes == {"why": "queue"}
