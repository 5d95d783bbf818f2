"""Anything that takes OTLP over HTTP and answers for traces as Jaeger does. No test."""

import base64
import gzip
import json
import uuid
from types import TracebackType
from typing import Any

import httpx
from google.protobuf import json_format  # type: ignore[import-untyped]  # It ships no types.
from harness.eventually import eventually
from harness.traces import spans as decoded
from harness.traces.causality import Trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PROTOBUF, JSON = "application/x-protobuf", "application/json"
# A collector may batch for a while before it stores; this is for a machine with other work too.
STORED_WITHIN_S = 20.0
# A trace of thousands of spans is megabytes of JSON.
TIMEOUT_S = 30.0
MS = 1_000_000
# Late in 2026, in nanoseconds: beyond what a double holds exactly.
START_NS = 1_790_000_000_123_456_789

Json = dict[str, Any]


class TraceBackend:
    """Where spans go and where traces are asked for."""

    def __init__(self, otlp_url: str, query_url: str) -> None:
        self.query_url = query_url
        self._otlp = httpx.Client(base_url=otlp_url, timeout=TIMEOUT_S)
        self._query = httpx.Client(base_url=query_url, timeout=TIMEOUT_S)

    def __enter__(self) -> "TraceBackend":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._otlp.close()
        self._query.close()

    def post(self, body: bytes, content_type: str, **headers: str) -> httpx.Response:
        return self._otlp.post(
            "/v1/traces", content=body, headers={"Content-Type": content_type, **headers}
        )

    def look_where_spans_go(self) -> httpx.Response:
        return self._otlp.get("/v1/traces")

    def get(self, path: str, **params: str) -> httpx.Response:
        return self._query.get(path, params=params)

    def send(self, request: ExportTraceServiceRequest, how: str = "protobuf") -> None:
        """how: a key of ENCODINGS."""
        content_type, zipped = ENCODINGS[how]
        body = as_json(request) if content_type == JSON else request.SerializeToString()
        headers = {"Content-Encoding": "gzip"} if zipped else {}
        answer = self.post(gzip.compress(body) if zipped else body, content_type, **headers)
        assert answer.status_code == httpx.codes.OK, answer.text

    def stored(self, trace_id: str, spans: int = 1) -> Json:
        """The trace's OTLP/JSON as soon as it has so many spans."""

        def look() -> Json | None:
            answer = self.get(f"/api/v3/traces/{trace_id}", rawTraces="true", raw_traces="true")
            if answer.status_code == httpx.codes.NOT_FOUND:
                return None
            assert answer.status_code == httpx.codes.OK, answer.text
            result: Json = answer.json()["result"]
            return result if len(spans_of(result)) >= spans else None

        found = eventually(look, STORED_WITHIN_S, f"{spans} spans of {trace_id}")
        assert found is not None
        return found


# Name -> content type, and whether it is compressed.
ENCODINGS = {
    "protobuf": (PROTOBUF, False),
    "protobuf-gzip": (PROTOBUF, True),
    "json": (JSON, False),
    "json-gzip": (JSON, True),
}


def new_trace_id() -> str:
    return uuid.uuid4().hex


def span(trace_id: str, number: int, parent: int = 0, **changes: Any) -> Span:
    """Span *number*: its id is the number, and it begins so many milliseconds after the first."""
    return Span(
        **{
            "trace_id": bytes.fromhex(trace_id),
            "span_id": number.to_bytes(8, "big"),
            "parent_span_id": parent.to_bytes(8, "big") if parent else b"",
            "name": f"span {number}",
            "kind": Span.SPAN_KIND_SERVER,
            "start_time_unix_nano": START_NS + number * MS,
            "end_time_unix_nano": START_NS + (number + 2) * MS,
            **changes,
        }
    )


def request_of(*spans: Span, service: str = "order", scope: str = "") -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.append(attribute("service.name", string_value=service))
    resource_spans.scope_spans.add(spans=spans).scope.name = scope
    return request


def attribute(key: str, **value: Any) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(**value))


def as_json(request: ExportTraceServiceRequest) -> bytes:
    """OTLP's JSON: protobuf's, but with hex ids and numbers for enums (OTLP 1.x)."""
    encoded = json_format.MessageToDict(request, use_integers_for_enums=True)
    _hex_ids(encoded)
    return json.dumps(encoded).encode()


def _hex_ids(encoded: object) -> None:
    waiting = [encoded]
    while waiting:
        match waiting.pop():
            case dict() as message:
                for name in {"traceId", "spanId", "parentSpanId"} & message.keys():
                    message[name] = base64.b64decode(message[name]).hex()
                waiting.extend(message.values())
            case list() as items:
                waiting.extend(items)


def spans_of(traces: Json) -> list[Json]:
    return [
        found
        for resource_spans in traces["resourceSpans"]
        for scope_spans in resource_spans["scopeSpans"]
        for found in scope_spans.get("spans", ())
    ]


def read(traces: TraceBackend, trace_id: str, spans: int = 1) -> Trace:
    return Trace.from_otlp(traces.stored(trace_id, spans))


def read_one(traces: TraceBackend, **changes: Any) -> decoded.Span:
    """The span that was sent with these changes, as the harness reads it."""
    trace_id = new_trace_id()
    traces.send(request_of(span(trace_id, 1, **changes)))
    [found] = read(traces, trace_id).spans
    return found
