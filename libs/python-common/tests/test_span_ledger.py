"""A service writes its ledger when it is told to, before it sends a span, and else not at all."""

import subprocess
import sys
from pathlib import Path

import pytest
from common import span_ledger

SPAN = """
from common import tracing
tracing.install("web")
from opentelemetry import trace
trace.get_tracer("t").start_span("POST /orders").end()
"""


def run(directory: str) -> None:
    environment = {
        "SERVICE_NAME": "order",
        # Nobody is there, and it must not matter.
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_BSP_EXPORT_TIMEOUT": "1",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        span_ledger.DIRECTORY_VARIABLE: directory,
    }
    command = [sys.executable, "-W", "ignore", "-c", SPAN]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def test_a_service_writes_down_what_it_could_not_even_send(tmp_path: Path) -> None:
    run(str(tmp_path))

    (file,) = tmp_path.iterdir()
    header, begun, ended, closed = file.read_text().splitlines()
    assert header.startswith('= {"service": "order", "role": "web"')
    assert begun.endswith("POST /orders")
    assert ended == "-" + " ".join(begun[1:].split(" ")[:2])
    assert closed == "."


def test_nothing_is_written_unless_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(span_ledger.DIRECTORY_VARIABLE, raising=False)

    run("")

    assert span_ledger.from_environment("order", "web") is None
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OSError, match="file"):
        span_ledger.SpanLedger(str(tmp_path / "file"), "order", "web")
