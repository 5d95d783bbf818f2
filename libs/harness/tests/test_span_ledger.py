"""The ledger as real processes write it: threads, forks, kills and full disks included."""

import importlib.resources
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from harness.eventually import eventually
from harness.traces import ledger_writer
from harness.traces.span_ledger import Ledger, of
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, format_trace_id

KILL_ME = """
import os, signal, sys
from opentelemetry.sdk.trace import TracerProvider
from harness.traces.ledger_writer import SpanLedger

provider = TracerProvider(shutdown_on_exit=True)
provider.add_span_processor(SpanLedger(sys.argv[1], "payment", "worker"))
tracer = provider.get_tracer("t")
with tracer.start_as_current_span("ended"):
    pass
tracer.start_span("running")
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "forked" and os.fork() == 0:
    tracer.start_span("of the child").end()
    os._exit(0)
if sys.argv[2] == "forked":
    os.wait()
"""


def writing(directory: Path) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(ledger_writer.SpanLedger(str(directory), "order", "web"))
    return provider


def read(directory: Path) -> Ledger:
    ledger = Ledger(directory)
    ledger.refresh()
    return ledger


def run(directory: Path, how: str) -> int:
    command = [sys.executable, "-c", KILL_ME, str(directory), how]
    return subprocess.run(command, check=False).returncode


def test_what_began_and_ended_is_read_as_it_was_written(tmp_path: Path) -> None:
    tracer = writing(tmp_path).get_tracer("t")
    with tracer.start_as_current_span("checkout") as root:
        child = tracer.start_span("pay for\nit")
    ledger = read(tmp_path)

    trace_id = format_trace_id(root.get_span_context().trace_id)
    first, second = ledger.entries([trace_id])

    assert (first.name, first.parent_span_id, first.has_ended) == ("checkout", None, True)
    assert (second.name, second.parent_span_id, second.has_ended) == (
        "pay for it",
        first.key[1],
        False,
    )
    assert first.keeper.is_alive
    assert ledger.living() == {("order", "web")}
    child.end()
    ledger.refresh()
    assert second.has_ended


def test_a_link_is_found_from_its_other_end(tmp_path: Path) -> None:
    tracer = writing(tmp_path).get_tracer("t")
    cause = tracer.start_span("checkout").get_span_context()
    effect = tracer.start_span("refund", links=[Link(cause)]).get_span_context()

    linking = read(tmp_path).links_to(format_trace_id(cause.trace_id))

    assert linking == {format_trace_id(effect.trace_id)}


def test_threads_do_not_tear_each_others_lines(tmp_path: Path) -> None:
    tracer = writing(tmp_path).get_tracer("t")
    with tracer.start_as_current_span("checkout") as root, ThreadPoolExecutor(8) as hands:
        context = __import__("opentelemetry.trace", fromlist=["x"]).set_span_in_context(root)
        list(hands.map(lambda n: tracer.start_span(f"step {n}", context).end(), range(2000)))

    entries = read(tmp_path).entries([format_trace_id(root.get_span_context().trace_id)])

    assert len(entries) == 2001
    assert all(entry.has_ended for entry in entries)
    assert {entry.name for entry in entries} == {"checkout", *(f"step {n}" for n in range(2000))}


def test_a_killed_process_leaves_all_it_wrote_and_is_known_to_be_killed(tmp_path: Path) -> None:
    assert run(tmp_path, "killed") == -signal.SIGKILL

    ledger = read(tmp_path)
    entries = [entry for trace_id in ledger._traces for entry in ledger.entries([trace_id])]

    assert {(entry.name, entry.has_ended) for entry in entries} == {
        ("ended", True),
        ("running", False),
    }
    assert not ledger.living()
    assert all("was killed" in entry.keeper.fate() for entry in entries)


def test_a_process_that_ended_in_good_order_says_so(tmp_path: Path) -> None:
    assert run(tmp_path, "ended") == 0

    ledger = read(tmp_path)

    assert [keeper.ended_well for keeper in ledger._keepers.values()] == [True]


def test_a_fork_writes_a_ledger_of_its_own(tmp_path: Path) -> None:
    assert run(tmp_path, "forked") == 0

    ledger = read(tmp_path)

    pids = {keeper.pid for keeper in ledger._keepers.values()}
    names = {e.name: e.keeper.pid for t in ledger._traces for e in ledger.entries([t])}
    assert len(pids) == 2
    assert names["ended"] != names["of the child"]
    assert not ledger.living()


def test_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    provider = writing(tmp_path)
    ledger = read(tmp_path)
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b"+" + b"a" * 32 + b" " + b"b" * 16)

    ledger.refresh()
    half = ledger.entries(["a" * 32])
    with path.open("ab") as file:
        file.write(b" - 1 - checkout\n")
    ledger.refresh()

    assert half == []
    assert [entry.name for entry in ledger.entries(["a" * 32])] == ["checkout"]
    provider.shutdown()


def test_a_ledger_that_cannot_be_written_stops_no_sale(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    writer = ledger_writer.SpanLedger(str(tmp_path), "order", "web")
    provider.add_span_processor(writer)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, writer._file)
    os.close(full)

    provider.get_tracer("t").start_span("checkout").end()

    assert "span_ledger_ended" in caplog.text
    assert not eventually(lambda: [read(tmp_path)], 1.0)[0].living()


def test_a_ledger_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ledger_writer, "BYTES_MAX", 300)
    tracer = writing(tmp_path).get_tracer("t")

    for _ in range(20):
        tracer.start_span("checkout").end()

    assert "more than 300 bytes" in caplog.text
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 600


def test_nothing_is_written_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ledger_writer.DIRECTORY_VARIABLE, raising=False)

    assert ledger_writer.from_environment("order", "web") is None
    assert of("") is None


def test_the_shop_and_its_judge_write_the_same_ledger() -> None:
    """Written twice because they share no code; the texts differ in the name of the other."""
    theirs = importlib.resources.files("common").joinpath("span_ledger.py").read_text()
    ours = importlib.resources.files("harness.traces").joinpath("ledger_writer.py").read_text()

    theirs = theirs.replace("`harness.traces.ledger_writer`", "")
    assert theirs == ours.replace("`common.span_ledger`", "")
