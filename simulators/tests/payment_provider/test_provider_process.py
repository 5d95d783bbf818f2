"""The provider as a process: killed, stopped, cut off and traced."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

pytestmark = pytest.mark.slow

STOP_TIMEOUT_S = 15  # It takes half a second alone; a stuck one never ends.
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"


def test_nothing_acknowledged_is_lost_when_it_is_killed(running: Any, tmp_path: Path) -> None:
    with running(tmp_path) as provider:
        acknowledged = [provider.pay(f"key-{n}", reference=f"ORDER-{n}").content for n in range(20)]
        provider.process.kill()
        provider.process.wait()
        port = provider.port

    # The same port and directory at once: whatever was killed must hold neither.
    with running(tmp_path, port=port) as provider:
        replayed = [provider.pay(f"key-{n}", reference=f"ORDER-{n}").content for n in range(20)]
        kept = provider.client.get("/book/payments").json()["payments"]

    assert replayed == acknowledged
    assert [payment["reference"] for payment in kept] == [f"ORDER-{n}" for n in range(20)]


def test_a_kill_leaves_nobody_behind_to_answer(running: Any, tmp_path: Path) -> None:
    slow = {"PAYMENT_PROVIDER_SLOW_MS": "2000"}
    with running(tmp_path, environment=slow) as provider, ThreadPoolExecutor(1) as thread:
        answer = thread.submit(provider.pay, "key-1", payment_method="pm_slow")
        while not provider.client.get("/book/payments").json()["payments"]:
            assert not answer.done()

        provider.process.kill()

        assert isinstance(answer.exception(STOP_TIMEOUT_S), httpx.TransportError)


def test_it_stops_on_sigterm_although_a_connection_is_open(running: Any, tmp_path: Path) -> None:
    with running(tmp_path) as provider:
        provider.pay("key-1")

        provider.process.terminate()

        assert provider.process.wait(STOP_TIMEOUT_S) == 0


def test_a_lost_answer_is_a_cut_connection_and_the_same_key_tells_the_truth(
    running: Any, tmp_path: Path
) -> None:
    with running(tmp_path) as provider:
        with pytest.raises(httpx.RemoteProtocolError):
            provider.pay("key-1", payment_method="pm_timeout_after_charge")
        truth = provider.pay("key-1", payment_method="pm_timeout_after_charge").json()
        found = provider.client.get("/v1/payments?reference=ORDER-1").json()["payments"]

    assert truth["status"] == "authorized"
    assert found == [truth]


def test_it_says_on_one_line_why_it_does_not_start(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "simulators.payment_provider", "--host", "0.0.0.0",  # noqa: S104 - refused
         "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=STOP_TIMEOUT_S,
    )  # fmt: skip

    assert refused.returncode == 2
    assert refused.stderr.startswith("payment-provider: refusing to listen on 0.0.0.0")
    assert refused.stderr.count("\n") == 1


def test_every_call_is_a_server_span_in_the_callers_trace(running: Any, tmp_path: Path) -> None:
    with collector() as (endpoint, received):
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        with running(tmp_path, environment=environment) as provider:
            provider.client.headers["traceparent"] = f"00-{TRACE_ID}-{SPAN_ID}-01"
            provider.pay("key-1")
            provider.client.get("/book/summary")
            provider.process.terminate()
            provider.process.wait(STOP_TIMEOUT_S)

        exported = received.get(timeout=STOP_TIMEOUT_S)

    (resource,) = exported.resource_spans
    names = {item.key: item.value.string_value for item in resource.resource.attributes}
    spans = [span for scope in resource.scope_spans for span in scope.spans]
    assert names["service.name"] == "payment-provider"
    assert [span.name for span in spans] == ["POST /v1/payments"]
    assert spans[0].kind == Span.SPAN_KIND_SERVER
    assert (spans[0].trace_id.hex(), spans[0].parent_span_id.hex()) == (TRACE_ID, SPAN_ID)


def test_every_webhook_is_a_client_span_in_the_trace_of_its_call(
    running: Any, tmp_path: Path
) -> None:
    with collector() as (endpoint, received):
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "PAYMENT_PROVIDER_WEBHOOK_URL": "http://127.0.0.1:9/",  # Nobody: it is seen as well.
            "PAYMENT_PROVIDER_WEBHOOK_SECRET": "a secret for tests",
        }
        with running(tmp_path, environment=environment) as provider:
            provider.client.headers["traceparent"] = f"00-{TRACE_ID}-{SPAN_ID}-01"
            provider.pay("key-1")

            spans: dict[int, Span] = {}
            while not {Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT} <= spans.keys():
                exported = received.get(timeout=STOP_TIMEOUT_S)
                spans |= {
                    span.kind: span
                    for resource in exported.resource_spans
                    for scope in resource.scope_spans
                    for span in scope.spans
                }

    call, webhook = spans[Span.SPAN_KIND_SERVER], spans[Span.SPAN_KIND_CLIENT]
    assert webhook.name == "POST"
    assert (webhook.trace_id.hex(), webhook.parent_span_id) == (TRACE_ID, call.span_id)


def test_it_stops_on_sigterm_although_a_webhook_is_on_its_way(running: Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = {
            "PAYMENT_PROVIDER_WEBHOOK_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/",
            "PAYMENT_PROVIDER_WEBHOOK_SECRET": "a secret for tests",
        }
        with running(tmp_path, environment=environment) as provider:
            provider.pay("key-1")
            with silent.accept()[0]:  # Taken, and never answered.
                provider.process.terminate()

                assert provider.process.wait(STOP_TIMEOUT_S) == 0


@contextmanager
def collector() -> Iterator[tuple[str, "SimpleQueue[ExportTraceServiceRequest]"]]:
    """An OTLP endpoint and what it received."""
    received: SimpleQueue[ExportTraceServiceRequest] = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", received
        finally:
            server.shutdown()
            serving.join()
