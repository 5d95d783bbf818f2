"""A trace store in this process, and spans to send to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from simulators.trace_store.app import create_app
from simulators.trace_store.journal import Journal
from simulators.trace_store.store import Store
from werkzeug.test import Client, TestResponse

OTLP_PORT = 4318
MS = 1_000_000
PROTOBUF = "application/x-protobuf"


def encoded_span(trace: int, number: int, parent: int = 0, **changes: Any) -> Span:
    """Span *number* of trace *trace*: their ids are these numbers."""
    return Span(
        **{
            "trace_id": trace.to_bytes(16, "big"),
            "span_id": number.to_bytes(8, "big"),
            "parent_span_id": parent.to_bytes(8, "big") if parent else b"",
            "name": f"span {number}",
            "kind": Span.SPAN_KIND_SERVER,
            "start_time_unix_nano": number * MS,
            "end_time_unix_nano": (number + 2) * MS,
            **changes,
        }
    )


def encoded_request(*spans: Span, service: str = "order") -> bytes:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    name = KeyValue(key="service.name", value=AnyValue(string_value=service))
    resource_spans.resource.attributes.append(name)
    resource_spans.scope_spans.add(spans=spans).scope.name = "common"
    body: bytes = request.SerializeToString()
    return body


@dataclass(frozen=True)
class Running:
    """Both ports of a store, without sockets."""

    store: Store
    http: Client

    def post(
        self, body: bytes, content_type: str = PROTOBUF, *, port: int = OTLP_PORT, **headers: str
    ) -> TestResponse:
        return self.http.post(
            "/v1/traces",
            data=body,
            content_type=content_type,
            headers=headers,
            base_url=f"http://localhost:{port}",
        )

    def send(self, *spans: Span, service: str = "order") -> None:
        response = self.post(encoded_request(*spans, service=service))
        assert response.status_code == 200, response.data

    def get(self, path: str, *, port: int = 16686) -> TestResponse:
        return self.http.get(path, base_url=f"http://localhost:{port}")

    def spans(self, trace: int) -> list[dict[str, Any]]:
        """Every span of the trace as `/api/v3` gives it."""
        answer = self.get(f"/api/v3/traces/{trace:032x}")
        assert answer.status_code == 200, answer.data
        return [
            span
            for resource_spans in answer.get_json()["result"]["resourceSpans"]
            for scope_spans in resource_spans["scopeSpans"]
            for span in scope_spans["spans"]
        ]


RunningWith = Callable[..., Running]


@pytest.fixture
def running_with() -> RunningWith:
    def start(
        *, max_traces: int = 1_000, max_bytes: int = 10**8, journal: Journal | None = None
    ) -> Running:
        store = Store(max_traces=max_traces, max_bytes=max_bytes)
        return Running(store, Client(create_app(store, otlp_port=OTLP_PORT, journal=journal)))

    return start


@pytest.fixture
def running(running_with: RunningWith) -> Running:
    return running_with()


@pytest.fixture
def span() -> Callable[..., Span]:
    return encoded_span


@pytest.fixture
def request_of() -> Callable[..., bytes]:
    return encoded_request
