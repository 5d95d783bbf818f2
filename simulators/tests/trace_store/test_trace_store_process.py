"""The real command: it starts, takes spans from the real exporter, answers, and stops."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from harness.eventually import eventually
from harness.process import control, ports
from harness.traces.causality import Trace
from harness.traces.reader import TraceReader
from harness.traces.spans import Kind
from opentelemetry import trace as api
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

pytestmark = pytest.mark.slow

STARTS_WITHIN_S = 60  # Half a second alone; other tests may keep both cores busy.
# It takes a second when exporters hold connections open; gunicorn by itself would wait for thirty.
STOPS_WITHIN_S = 20


@dataclass
class Running:
    command: list[str]
    home: Path
    otlp: str
    query: str
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        # A home of its own shows whether anything is left there.
        environment = {"HOME": str(self.home)}
        self.process = subprocess.Popen(self.command, env=environment, cwd=self.home)
        eventually(self.is_up, STARTS_WITHIN_S, "the trace store answers on both ports")

    def kill(self) -> None:
        """Arbiter and worker at once, as the kernel would."""
        workers = psutil.Process(self.process.pid).children()
        for victim in (self.process, *workers):
            victim.kill()
        self.process.wait()
        eventually(
            lambda: not any(map(control.is_alive, workers)), STOPS_WITHIN_S, "the worker is gone"
        )

    def is_up(self) -> bool:
        assert self.process.poll() is None, "the trace store ended while it started"
        try:
            answers = [httpx.get(f"{url}/healthz") for url in (self.otlp, self.query)]
        except httpx.ConnectError:
            return False
        return all(answer.status_code == 200 for answer in answers)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    chosen = ports.choose({"otlp": 4318, "traces": 16686}, {}, ephemeral=True)
    otlp, query = chosen["otlp"], chosen["traces"]
    command = [sys.executable, "-m", "simulators.trace_store", "--host", ports.HOST]
    command += ["--otlp-port", str(otlp), "--query-port", str(query)]
    urls = (f"http://{ports.HOST}:{port}" for port in (otlp, query))
    store = Running(command, tmp_path, *urls)
    try:
        store.start()
        yield store
    finally:
        if store.process.poll() is None:
            store.process.terminate()
        store.process.wait()


@pytest.fixture(params=[Compression.NoCompression, Compression.Gzip])
def exported(running: Running, request: pytest.FixtureRequest) -> Iterator[str]:
    """The id of a trace that the real exporter sent; its connection stays open."""
    provider = TracerProvider(resource=Resource.create({"service.name": "order"}))
    exporter = OTLPSpanExporter(f"{running.otlp}/v1/traces", compression=request.param)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("POST /orders", kind=api.SpanKind.SERVER) as root:
        tracer.start_span("publish order.placed", kind=api.SpanKind.PRODUCER).end()
    provider.force_flush()
    yield f"{root.get_span_context().trace_id:032x}"
    provider.shutdown()


def whole(trace: Trace | None) -> Trace | None:
    return trace if trace and len(trace.spans) == 2 else None


def test_what_the_exporter_sends_is_read_back_and_a_stop_is_prompt(
    running: Running, exported: str, tmp_path: Path
) -> None:
    with TraceReader(running.query) as reader:
        trace = eventually(lambda: whole(reader.fetch(exported)), STARTS_WITHIN_S, "both spans")
    workers = psutil.Process(running.process.pid).children()

    running.process.terminate()
    status = running.process.wait(STOPS_WITHIN_S)

    (root,) = trace.roots
    assert (root.name, root.kind) == ("POST /orders", Kind.SERVER)
    assert trace.led_to(root, *trace.find(kind=Kind.PRODUCER))
    assert status == 0
    assert len(workers) == 1
    assert not any(map(control.is_alive, workers))
    assert list(tmp_path.iterdir()) == []  # No control socket, no bytecode, no log.


@pytest.fixture
def keeping(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """The same store, started anew with a folder to keep its spans in."""
    running.kill()
    running.command += ["--data-dir", str(tmp_path_factory.mktemp("traces"))]
    running.start()
    return running


def stored(store: Running, trace_id: int) -> bool:
    with TraceReader(store.query) as reader:
        return reader.fetch(f"{trace_id:032x}") is not None


def send(store: Running, body: bytes) -> None:
    answer = httpx.post(
        f"{store.otlp}/v1/traces", content=body, headers={"Content-Type": "application/x-protobuf"}
    )
    assert answer.status_code == 200


def test_what_was_accepted_outlives_a_kill_of_everything(
    keeping: Running, span: Callable[..., Any], request_of: Callable[..., bytes]
) -> None:
    for number in range(1, 21):
        send(keeping, request_of(span(number, 1)))

    keeping.kill()
    keeping.start()
    send(keeping, request_of(span(21, 1)))

    assert all(stored(keeping, number) for number in range(1, 22))


def test_what_was_accepted_outlives_a_kill_of_the_worker_alone(
    keeping: Running, span: Callable[..., Any], request_of: Callable[..., bytes]
) -> None:
    send(keeping, request_of(span(1, 1)))
    [worker] = psutil.Process(keeping.process.pid).children()

    worker.kill()
    eventually(lambda: not control.is_alive(worker), STOPS_WITHIN_S, "the worker is gone")
    eventually(keeping.is_up, STARTS_WITHIN_S, "another worker answers")

    assert stored(keeping, 1)
