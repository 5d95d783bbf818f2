"""The real command: it starts, takes spans from the real exporter, answers, and stops."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from harness.eventually import eventually
from harness.providers import ports
from harness.traces import Kind, SpanLedger, TraceReader, wait_for
from opentelemetry import trace as api
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

STARTS_WITHIN_S = 15  # Half a second alone; other tests may keep both cores busy.
STOPS_WITHIN_S = 5  # It takes one second when exporters hold connections open.


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[bytes]
    otlp: str
    query: str

    def is_up(self) -> bool:
        assert self.process.poll() is None, "the trace store ended while it started"
        try:
            answers = [httpx.get(f"{url}/healthz") for url in (self.otlp, self.query)]
        except httpx.ConnectError:
            return False
        return all(answer.status_code == 200 for answer in answers)


def is_alive(worker: psutil.Process) -> bool:
    """A zombie is dead: it only waits for its new parent, the machine's first process."""
    try:
        return worker.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    chosen = ports.choose({"otlp": 4318, "traces": 16686}, {}, ephemeral=True)
    otlp, query = chosen["otlp"], chosen["traces"]
    command = [sys.executable, "-m", "simulators.trace_store", "--host", ports.HOST]
    command += ["--otlp-port", str(otlp), "--query-port", str(query)]
    # A home of its own shows whether anything is left there.
    with subprocess.Popen(command, env={"HOME": str(tmp_path)}, cwd=tmp_path) as process:
        store = Running(process, f"http://{ports.HOST}:{otlp}", f"http://{ports.HOST}:{query}")
        try:
            eventually(store.is_up, STARTS_WITHIN_S, "the trace store answers on both ports")
            yield store
        finally:
            if process.poll() is None:
                process.terminate()


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


def test_what_the_exporter_sends_is_read_back_and_a_stop_is_prompt(
    running: Running, exported: str, tmp_path: Path
) -> None:
    with TraceReader(running.query) as reader:
        trace = wait_for(reader, exported, SpanLedger({"order": 2}), within_s=5)
    workers = psutil.Process(running.process.pid).children()

    running.process.terminate()
    status = running.process.wait(STOPS_WITHIN_S)

    (root,) = trace.roots
    assert (root.name, root.kind) == ("POST /orders", Kind.SERVER)
    assert trace.happened_before(root, *trace.find(kind=Kind.PRODUCER))
    assert status == 0
    assert len(workers) == 1
    assert not any(is_alive(worker) for worker in workers)
    assert list(tmp_path.iterdir()) == []  # No control socket, no bytecode, no log.
