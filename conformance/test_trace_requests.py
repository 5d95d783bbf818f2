"""Requests that are wrong, or unusual, and what both sides of the trace API say to them."""

import gzip
import json

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan

from conformance.otlp import (
    ENCODINGS,
    JSON,
    PROTOBUF,
    TraceBackend,
    new_trace_id,
    request_of,
    span,
    spans_of,
)

MIB = 1024 * 1024
# OTLP/HTTP, "Failures": only these make an exporter send the same again.
RETRYABLE = {429, 502, 503, 504}


# Asking


def test_a_trace_that_is_not_there_is_404_with_jaegers_own_body(traces: TraceBackend) -> None:
    answer = traces.get(f"/api/v3/traces/{new_trace_id()}")

    assert answer.status_code == httpx.codes.NOT_FOUND
    assert answer.json() == {"error": {"httpCode": 404, "message": "No traces found"}}


@pytest.mark.parametrize("trace_id", ["nonsense", "a" * 33, "xyz"])
def test_an_id_that_is_none_is_400(traces: TraceBackend, trace_id: str) -> None:
    answer = traces.get(f"/api/v3/traces/{trace_id}")

    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.json()["error"]["httpCode"] == httpx.codes.BAD_REQUEST
    assert answer.json()["error"]["message"].startswith("malformed parameter trace_id")


def test_an_id_may_be_written_in_capitals(traces: TraceBackend) -> None:
    trace_id = new_trace_id()
    traces.send(request_of(span(trace_id, 1)))

    assert spans_of(traces.stored(trace_id.upper()))[0]["traceId"] == trace_id


def test_leading_zeros_of_an_id_may_be_left_out(traces: TraceBackend) -> None:
    short = new_trace_id()[:12].lstrip("0")
    trace_id = short.rjust(32, "0")
    traces.send(request_of(span(trace_id, 1)))

    assert spans_of(traces.stored(short))[0]["traceId"] == trace_id


def test_a_time_that_is_none_is_400(traces: TraceBackend) -> None:
    trace_id = new_trace_id()
    traces.send(request_of(span(trace_id, 1)))
    traces.stored(trace_id)

    answer = traces.get(f"/api/v3/traces/{trace_id}", start_time="nonsense")

    assert answer.status_code == httpx.codes.BAD_REQUEST


def test_a_path_that_is_none_is_404(traces: TraceBackend) -> None:
    assert traces.get("/api/v3/nothing").status_code == httpx.codes.NOT_FOUND


def test_a_trace_says_that_it_is_json(traces: TraceBackend) -> None:
    trace_id = new_trace_id()
    traces.send(request_of(span(trace_id, 1)))
    traces.stored(trace_id)

    answer = traces.get(f"/api/v3/traces/{trace_id}")

    assert answer.headers["content-type"].partition(";")[0] == JSON


def test_services_are_listed(traces: TraceBackend) -> None:
    trace_id, service = new_trace_id(), f"service-{new_trace_id()[:8]}"
    traces.send(request_of(span(trace_id, 1), service=service))
    traces.stored(trace_id)

    assert service in traces.get("/api/v3/services").json()["services"]


def test_a_search_without_times_is_400(traces: TraceBackend) -> None:
    answer = traces.get("/api/v3/traces", **{"query.service_name": "order"})

    assert answer.status_code == httpx.codes.BAD_REQUEST


# The older form, which Jaeger's web page reads


def test_the_older_form_tells_the_same(traces: TraceBackend) -> None:
    trace_id = new_trace_id()
    traces.send(request_of(span(trace_id, 1), span(trace_id, 2, parent=1), scope="common"))
    traces.stored(trace_id, 2)

    answer = traces.get(f"/api/traces/{trace_id}").json()

    [trace] = answer["data"]
    child = next(found for found in trace["spans"] if found["operationName"] == "span 2")
    del child["warnings"]  # Jaeger's, of the clocks of a parent and a child.
    child["tags"].sort(key=lambda tag: tag["key"])
    assert child == {
        "traceID": trace_id,
        "spanID": "0000000000000002",
        "operationName": "span 2",
        "references": [{"refType": "CHILD_OF", "traceID": trace_id, "spanID": "0000000000000001"}],
        "startTime": 1_790_000_000_125_456,
        "duration": 2_000,
        "tags": [
            {"key": "otel.scope.name", "type": "string", "value": "common"},
            {"key": "span.kind", "type": "string", "value": "server"},
        ],
        "logs": [],
        "processID": "p1",
    }
    assert trace["processes"] == {"p1": {"serviceName": "order", "tags": []}}


def test_in_the_older_form_a_trace_that_is_not_there_is_404(traces: TraceBackend) -> None:
    answer = traces.get(f"/api/traces/{new_trace_id()}")

    assert answer.status_code == httpx.codes.NOT_FOUND
    assert answer.json()["errors"] == [{"code": 404, "msg": "trace not found"}]


# Sending


@pytest.mark.parametrize("how", ENCODINGS)
def test_what_is_taken_is_answered_in_the_encoding_of_the_request(
    traces: TraceBackend, how: str
) -> None:
    content_type, zipped = ENCODINGS[how]
    body = b"{}" if content_type == JSON else b""
    headers = {"Content-Encoding": "gzip"} if zipped else {}

    answer = traces.post(gzip.compress(body) if zipped else body, content_type, **headers)

    assert answer.status_code == httpx.codes.OK
    assert answer.headers["content-type"] == content_type
    if content_type == JSON:
        assert not answer.json().get("partialSuccess")
    else:
        taken = ExportTraceServiceResponse.FromString(answer.content)
        assert taken.partial_success.rejected_spans == 0


def test_json_may_have_fields_that_are_not_known_yet_and_names_for_numbers(
    traces: TraceBackend,
) -> None:
    trace_id = new_trace_id()
    sent = {
        "traceId": trace_id,
        "spanId": "01" * 8,
        "name": "x",
        "kind": "SPAN_KIND_CLIENT",
        "startTimeUnixNano": 5,
        "endTimeUnixNano": "6",
        "ofALaterVersion": {"a": [1]},
    }

    body = {"resourceSpans": [{"scopeSpans": [{"spans": [sent]}]}], "later": 1}
    answer = traces.post(json.dumps(body).encode(), JSON)

    assert answer.status_code == httpx.codes.OK
    [found] = spans_of(traces.stored(trace_id))
    assert (found["kind"], found["startTimeUnixNano"]) == (3, "5")


def json_with_id(trace_id: str) -> bytes:
    sent = {"traceId": trace_id, "spanId": "01" * 8, "name": "x"}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [sent]}]}]}).encode()


# Name -> body, content type, headers.
REFUSED: dict[str, tuple[bytes, str, dict[str, str]]] = {
    "no-protobuf": (b"\xff\xff", PROTOBUF, {}),
    "no-json": (b"{", JSON, {}),
    "a-json-list": (b"[]", JSON, {}),
    "an-id-that-is-not-hex": (json_with_id("!!"), JSON, {}),
    "an-id-that-is-too-short": (
        request_of(SentSpan(trace_id=b"\x01", span_id=b"\x01")).SerializeToString(),
        PROTOBUF,
        {},
    ),
    "not-gzip": (b"plain", PROTOBUF, {"Content-Encoding": "gzip"}),
    "cut-off-gzip": (
        gzip.compress(request_of(span("ab" * 16, 1)).SerializeToString())[:-9],
        PROTOBUF,
        {"Content-Encoding": "gzip"},
    ),
    "another-compression": (b"x", PROTOBUF, {"Content-Encoding": "br"}),
    "another-type": (b"x", "text/plain", {}),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_what_is_not_otlp_is_refused_for_good(traces: TraceBackend, wrong: str) -> None:
    body, content_type, headers = REFUSED[wrong]

    answer = traces.post(body, content_type, **headers)

    assert is_refused_for_good(answer)


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_more_than_twenty_mebibytes_are_refused_for_good(
    traces: TraceBackend, *, zipped: bool
) -> None:
    body = request_of(span(new_trace_id(), 1, name="x" * (21 * MIB))).SerializeToString()
    headers = {"Content-Encoding": "gzip"} if zipped else {}

    answer = traces.post(gzip.compress(body) if zipped else body, PROTOBUF, **headers)

    assert is_refused_for_good(answer)


def test_a_span_without_ids_is_refused_for_good(traces: TraceBackend) -> None:
    body = request_of(SentSpan(name="no ids")).SerializeToString()

    assert is_refused_for_good(traces.post(body, PROTOBUF))


def test_spans_are_posted_and_nothing_else(traces: TraceBackend) -> None:
    assert traces.look_where_spans_go().status_code == httpx.codes.METHOD_NOT_ALLOWED


def is_refused_for_good(answer: httpx.Response) -> bool:
    return answer.is_client_error and answer.status_code not in RETRYABLE
