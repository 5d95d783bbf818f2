"""Traces come back as they were sent: resources, scopes, parts, large ones, repetitions."""

import pytest
from harness.eventually import eventually
from harness.traces.reader import TraceReader
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from conformance.otlp import (
    STORED_WITHIN_S,
    TraceBackend,
    attribute,
    new_trace_id,
    read,
    read_one,
    request_of,
    span,
    spans_of,
)

# More than any flow of ours has, in the portions in which an exporter sends them.
LARGE, PORTION = 3_000, 500


# Resource and scope


def test_resource_and_scope_come_back_whole(traces: TraceBackend) -> None:
    trace_id = new_trace_id()
    request = request_of(span(trace_id, 1), scope="common")
    [sent] = request.resource_spans
    sent.resource.attributes.append(attribute("service.instance.id", string_value="order-1"))
    sent.resource.dropped_attributes_count = 4
    sent.scope_spans[0].scope.version = "1.2"
    sent.scope_spans[0].scope.attributes.append(attribute("short", bool_value=True))
    sent.scope_spans[0].scope.dropped_attributes_count = 5

    traces.send(request)

    [found] = traces.stored(trace_id)["resourceSpans"]
    [scope] = found["scopeSpans"]
    assert found["resource"] == {
        "attributes": [
            {"key": "service.name", "value": {"stringValue": "order"}},
            {"key": "service.instance.id", "value": {"stringValue": "order-1"}},
        ],
        "droppedAttributesCount": 4,
    }
    assert scope["scope"] == {
        "name": "common",
        "version": "1.2",
        "attributes": [{"key": "short", "value": {"boolValue": True}}],
        "droppedAttributesCount": 5,
    }


def test_schema_urls_come_back(traces: TraceBackend) -> None:
    trace_id = new_trace_id()
    request = request_of(span(trace_id, 1))
    [sent] = request.resource_spans
    sent.schema_url = "https://example.test/resource"
    sent.scope_spans[0].schema_url = "https://example.test/scope"

    traces.send(request)

    [found] = traces.stored(trace_id)["resourceSpans"]
    assert found["schemaUrl"] == "https://example.test/resource"
    assert found["scopeSpans"][0]["schemaUrl"] == "https://example.test/scope"


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        pytest.param([], "missing-service-name", id="none"),
        pytest.param(
            [attribute("service.name", string_value="")], "empty-service-name", id="empty"
        ),
        pytest.param([attribute("service.name", int_value=3)], "service-name-wrong-type", id="int"),
    ],
)
def test_a_service_without_a_name_is_given_one(
    traces: TraceBackend, sent: list[KeyValue], name: str
) -> None:
    trace_id = new_trace_id()
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(sent)
    resource_spans.scope_spans.add(spans=[span(trace_id, 1)])

    traces.send(request)

    assert [found.service for found in read(traces, trace_id).spans] == [name]


# Traces


def test_the_spans_of_several_services_are_one_trace(traces: TraceBackend) -> None:
    trace_id = new_trace_id()

    traces.send(request_of(span(trace_id, 1), scope="a"))
    traces.send(request_of(span(trace_id, 2, parent=1), scope="b"))
    traces.send(request_of(span(trace_id, 3, parent=2), service="payment"))

    found = read(traces, trace_id, 3)
    assert {one.span_id[-1]: one.service for one in found.spans} == {
        "1": "order",
        "2": "order",
        "3": "payment",
    }
    assert [root.name for root in found.roots] == ["span 1"]
    assert found.orphans() == ()


def test_a_partial_trace_is_answered_as_far_as_it_is_there(traces: TraceBackend) -> None:
    trace_id = new_trace_id()
    traces.send(request_of(span(trace_id, 2, parent=1)))

    early = read(traces, trace_id)
    traces.send(request_of(span(trace_id, 1)))
    late = read(traces, trace_id, 2)

    assert [one.name for one in early.orphans()] == ["span 2"]
    assert late.orphans() == ()


def test_a_large_trace_comes_back_whole(traces: TraceBackend) -> None:
    trace_id = new_trace_id()

    for first in range(1, LARGE, PORTION):
        numbers = range(first, first + PORTION)
        traces.send(request_of(*(span(trace_id, number, parent=number - 1) for number in numbers)))

    found = read(traces, trace_id, LARGE)
    assert {int(one.span_id, 16) for one in found.spans} == set(range(1, LARGE + 1))


def test_a_span_as_large_as_five_megabytes_comes_back_whole(traces: TraceBackend) -> None:
    name = "x" * (5 * 1024 * 1024)

    assert read_one(traces, name=name).name == name


def test_a_span_that_was_sent_twice_is_read_once(traces: TraceBackend) -> None:
    trace_id = new_trace_id()
    for number in (1, 1, 2):
        traces.send(request_of(span(trace_id, number)))

    found = read(traces, trace_id, 2)

    assert [one.name for one in found.spans] == ["span 1", "span 2"]


def test_a_raw_trace_shows_a_span_as_often_as_it_was_sent(traces: TraceBackend) -> None:
    trace_id = new_trace_id()
    for number in (1, 1, 2):
        traces.send(request_of(span(trace_id, number)))

    # Sent one after the other, so that the last one is stored when all are.
    eventually(
        lambda: "span 2" in {one["name"] for one in spans_of(traces.stored(trace_id))},
        STORED_WITHIN_S,
        "the last span",
    )
    assert len(spans_of(traces.stored(trace_id))) == 3


def test_the_harness_reads_it(traces: TraceBackend) -> None:
    trace_id, unknown = new_trace_id(), new_trace_id()
    traces.send(request_of(span(trace_id, 1)))
    traces.stored(trace_id)

    with TraceReader(traces.query_url) as reader:
        found, missing = reader.fetch(trace_id), reader.fetch(unknown)

    assert found is not None
    assert [one.name for one in found.spans] == ["span 1"]
    assert missing is None
