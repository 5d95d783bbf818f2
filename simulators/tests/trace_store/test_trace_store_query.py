"""What the query port answers, in Jaeger's shapes."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from harness.traces.spans import decode_spans
from opentelemetry import trace as api
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

MakeSpan = Callable[..., Span]
ATTRIBUTES: dict[str, Any] = {
    "text": "Müsli", "empty": "", "yes": True, "no": False, "int": 2**53 + 1, "zero": 0,
    "float": 0.1, "list": ("a", "b"), "numbers": (1, 2),
}  # fmt: skip


@pytest.fixture
def checkout(running: Any) -> str:
    """The id of a trace made by the real SDK: an order that is published, with a failure."""
    memory = InMemorySpanExporter()
    resource = Resource.create({"service.name": "order", "service.instance.id": "web-1"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("common.http", "1.2")
    with tracer.start_as_current_span("POST /orders", kind=api.SpanKind.SERVER) as root:
        context = root.get_span_context()
        with tracer.start_as_current_span(
            "publish order.placed",
            kind=api.SpanKind.PRODUCER,
            attributes=ATTRIBUTES,
            links=[api.Link(context, {"why": "cause"})],
        ) as publish:
            publish.add_event("retried", {"attempt": 2})
            publish.set_status(api.Status(api.StatusCode.ERROR, "topic is gone"))
    body = encode_spans(memory.get_finished_spans()).SerializeToString()
    assert running.post(body).status_code == 200
    return f"{context.trace_id:032x}"


def test_v3_gives_back_what_the_sdk_sent(running: Any, checkout: str) -> None:
    traces = running.get(f"/api/v3/traces/{checkout}?rawTraces=true").get_json()["result"]

    publish, root = decode_spans(traces)
    assert publish.attributes == {**ATTRIBUTES, "list": ["a", "b"], "numbers": [1, 2]}
    assert type(publish.attributes["zero"]) is int
    assert publish.parent_key == root.key
    assert [(link.key, link.attributes) for link in publish.links] == [(root.key, {"why": "cause"})]
    assert [(event.name, event.attributes) for event in publish.events] == [
        ("retried", {"attempt": 2})
    ]
    assert (publish.status, publish.status_message) == ("ERROR", "topic is gone")
    assert publish.resource["service.instance.id"] == "web-1"


def test_v3_is_otlp_json(running: Any, checkout: str) -> None:
    answer = running.get(f"/api/v3/traces/{checkout}")

    (resource_spans,) = answer.get_json()["result"]["resourceSpans"]
    (scope_spans,) = resource_spans["scopeSpans"]
    publish, root = scope_spans["spans"]
    assert scope_spans["scope"] == {"name": "common.http", "version": "1.2"}
    assert (publish["kind"], publish["status"]["code"], root["kind"]) == (4, 2, 2)
    assert publish["traceId"] == checkout
    assert int(publish["spanId"], 16)
    assert len(publish["startTimeUnixNano"]) == 19
    assert isinstance(publish["endTimeUnixNano"], str)
    assert {"key": "int", "value": {"intValue": "9007199254740993"}} in publish["attributes"]
    assert "parentSpanId" not in root


def test_the_older_json_has_references_microseconds_tags_and_processes(
    running: Any, checkout: str
) -> None:
    answer = running.get(f"/api/traces/{checkout}").get_json()

    (trace,) = answer["data"]
    publish, root = trace["spans"]
    parent = {"refType": "CHILD_OF", "traceID": checkout, "spanID": root["spanID"]}
    assert publish["references"] == [parent, parent | {"refType": "FOLLOWS_FROM"}]
    assert root["references"] == []
    assert root["startTime"] <= publish["startTime"] <= time.time() * 1_000_000
    assert len(str(root["startTime"])) == 16
    assert trace["processes"][root["processID"]]["serviceName"] == "order"
    assert (answer["errors"], trace["traceID"]) == (None, checkout)


@pytest.mark.parametrize(
    "tag",
    [
        {"key": "span.kind", "type": "string", "value": "producer"},
        {"key": "error", "type": "bool", "value": True},
        {"key": "otel.status_code", "type": "string", "value": "ERROR"},
        {"key": "otel.status_description", "type": "string", "value": "topic is gone"},
        {"key": "otel.scope.name", "type": "string", "value": "common.http"},
        {"key": "zero", "type": "int64", "value": 0},
        {"key": "int", "type": "int64", "value": "9007199254740993"},
        {"key": "no", "type": "bool", "value": False},
        {"key": "float", "type": "float64", "value": 0.1},
        {"key": "list", "type": "string", "value": '["a","b"]'},
    ],
)
def test_a_tag_of_the_older_json_keeps_its_type(
    running: Any, checkout: str, tag: dict[str, Any]
) -> None:
    (trace,) = running.get(f"/api/traces/{checkout}").get_json()["data"]

    assert tag in trace["spans"][0]["tags"]
    assert {"key": "error", "type": "bool", "value": True} not in trace["spans"][1]["tags"]


def test_an_event_becomes_a_log_of_the_older_json(running: Any, checkout: str) -> None:
    (trace,) = running.get(f"/api/traces/{checkout}").get_json()["data"]

    (log,) = trace["spans"][0]["logs"]
    assert log["fields"] == [
        {"key": "event", "type": "string", "value": "retried"},
        {"key": "attempt", "type": "int64", "value": 2},
    ]


def test_spans_of_several_services_stay_with_their_resource(running: Any, span: MakeSpan) -> None:
    running.send(span(1, 1), service="order")
    running.send(span(1, 2, parent=1), service="payment")
    running.send(span(1, 3, parent=1), service="order")

    traces = running.get(f"/api/v3/traces/{1:032x}").get_json()["result"]

    assert len(traces["resourceSpans"]) == 2
    assert [(read.service, read.name) for read in decode_spans(traces)] == [
        ("order", "span 1"), ("order", "span 3"), ("payment", "span 2"),
    ]  # fmt: skip


def test_an_unknown_trace_is_404_in_jaegers_words(running: Any) -> None:
    v3, v1 = running.get("/api/v3/traces/" + "a" * 32), running.get("/api/traces/" + "a" * 32)

    assert (v3.status_code, v1.status_code) == (404, 404)
    assert v3.get_json() == {"error": {"httpCode": 404, "message": "No traces found"}}
    assert v1.get_json()["errors"] == [{"code": 404, "msg": "trace not found"}]
    assert v1.get_json()["data"] is None


@pytest.mark.parametrize("trace_id", ["xyz", "a" * 33, "0x1", "-1", "%20"])
def test_a_malformed_id_is_400(running: Any, trace_id: str) -> None:
    v3, v1 = running.get(f"/api/v3/traces/{trace_id}"), running.get(f"/api/traces/{trace_id}")

    assert (v3.status_code, v1.status_code) == (400, 400)
    assert v3.get_json()["error"]["httpCode"] == v1.get_json()["errors"][0]["code"] == 400


def test_a_short_id_has_zeros_on_its_left(running: Any, span: MakeSpan) -> None:
    running.send(span(0xABC, 1))

    assert running.get("/api/v3/traces/abc").status_code == 200
    assert running.get("/api/v3/traces/ABC").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/api/v3/traces", "/api/v3/traces/1/2", "/api/services", "/api/traces?service=order", "/x"],
)
def test_there_is_no_search(running: Any, path: str) -> None:
    assert running.get(path).status_code == 404


def test_both_ports_say_that_they_are_healthy(running: Any) -> None:
    assert [running.get("/healthz", port=port).status_code for port in (4318, 16686)] == [200, 200]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_lacks_are_written_as_protobuf_does(
    running: Any, span: MakeSpan, number: str
) -> None:
    odd = {"key": "odd", "value": {"double_value": float(number)}}
    running.send(span(1, 1, attributes=[odd]))

    assert running.spans(1)[0]["attributes"] == [{"key": "odd", "value": {"doubleValue": number}}]


def test_a_kind_and_a_status_of_a_later_otlp_can_be_read(running: Any, span: MakeSpan) -> None:
    running.send(span(1, 1, kind=99, status={"code": 98}))

    assert running.get("/api/traces/1").status_code == 200
    assert running.get("/trace/1").status_code == 200
    assert running.spans(1)[0]["kind"] == 99


def test_a_trace_of_five_thousand_spans_comes_back_whole(running: Any, span: MakeSpan) -> None:
    for first in range(1, 5_001, 500):
        running.send(*(span(1, number, parent=number // 2) for number in range(first, first + 500)))

    spans = running.spans(1)

    assert {int(read["spanId"], 16) for read in spans} == set(range(1, 5_001))
    assert len(running.get("/api/traces/1").get_json()["data"][0]["spans"]) == 5_000


# As Jaeger does it: conformance/ holds both to the same tests.


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        ({}, "missing-service-name"),
        ({"string_value": ""}, "empty-service-name"),
        ({"int_value": 3}, "service-name-wrong-type"),
    ],
)
def test_a_service_without_a_name_is_given_jaegers(
    running: Any, span: MakeSpan, resource: dict[str, Any], name: str
) -> None:
    request = ExportTraceServiceRequest()
    sent = request.resource_spans.add()
    if resource:
        sent.resource.attributes.add(key="service.name", value=AnyValue(**resource))
    sent.scope_spans.add(spans=[span(1, 1)])
    assert running.post(request.SerializeToString()).status_code == 200

    for path in ("/api/v3/traces/1", "/api/traces/1"):
        assert name in running.get(path).text


def test_what_was_dropped_of_resource_and_scope_is_told(running: Any, span: MakeSpan) -> None:
    request = ExportTraceServiceRequest()
    sent = request.resource_spans.add()
    sent.resource.dropped_attributes_count = 4
    sent.scope_spans.add(spans=[span(1, 1)]).scope.dropped_attributes_count = 5
    assert running.post(request.SerializeToString()).status_code == 200

    [found] = running.get("/api/v3/traces/1").get_json()["result"]["resourceSpans"]

    assert found["resource"]["droppedAttributesCount"] == 4
    assert found["scopeSpans"][0]["scope"]["droppedAttributesCount"] == 5


def test_what_a_span_has_not_is_left_out(running: Any, span: MakeSpan) -> None:
    running.send(span(1, 1, name="", kind=Span.SPAN_KIND_UNSPECIFIED))

    [found] = running.spans(1)

    assert not {"name", "kind", "parentSpanId", "attributes", "events", "links"} & found.keys()
