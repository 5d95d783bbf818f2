"""A trace in the terminal: from a run's folder, with no shop, at any width, without colour."""

import io
import uuid
from pathlib import Path

import pytest
from cartwright import cli, trace
from cartwright.trace import EXIT_NOT_FOUND, Found
from harness.traces import trace_archive
from harness.traces.causality import Trace
from harness.traces.spans import Kind, Span, Status
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

ORDER = str(uuid.UUID("01a2285f-b24d-756f-b1af-649945cadc77"))
TRACE = "a1" * 16
MS = 1_000_000


def span(number: int, parent: int | None, *, failed: bool = False, name: str = "step") -> Span:
    return Span(
        TRACE,
        f"{number:016x}",
        None if parent is None else f"{parent:016x}",
        f"{name}-{number}",
        Kind.SERVER,
        "order",
        number * MS,
        (number + 1) * MS,
        status=Status.ERROR if failed else Status.UNSET,
    )


def drawn(*spans: Span, width: int = 80, colour: bool = False) -> list[str]:
    written = io.StringIO()
    console = Console(file=written, width=width, force_terminal=colour, highlight=False)
    trace.draw(console, Found(Trace(spans), TRACE, ORDER, "the run x"))
    return written.getvalue().splitlines()


def column_of(lines: list[str], words: str) -> int:
    return next(line.index("order") for line in lines if words in line)


def run(*arguments: str) -> tuple[int, str]:
    answer = CliRunner(env={"CARTWRIGHT_HOME": ""}).invoke(
        cli.build(["trace", "doctor"]), ["trace", *arguments]
    )
    return answer.exit_code, answer.output


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    encoded = {"traceId": TRACE, "spanId": f"{1:016x}", "name": "POST /orders"}
    traces = {"resourceSpans": [{"scopeSpans": [{"spans": [encoded]}]}]}
    with trace_archive.TraceWriter(tmp_path / trace_archive.FOLDER) as archive:
        archive.add(traces, trace_id=TRACE, order_id=ORDER, outcome="confirmed")
    return tmp_path


@pytest.mark.parametrize("wanted", [ORDER, TRACE, ORDER.upper()])
def test_a_run_is_read_by_order_or_trace_with_no_shop(kept: Path, wanted: str) -> None:
    code, output = run(wanted, "--run", str(kept))

    assert code == 0
    assert "POST /orders" in output
    assert str(kept) in output


def test_what_is_nowhere_is_said_with_where_it_was_looked_for(kept: Path) -> None:
    code, output = run("b2" * 16, "--run", str(kept))

    assert code == EXIT_NOT_FOUND
    assert f"the run {kept}" in output


def test_what_is_no_id_is_said_to_be_none(kept: Path) -> None:
    code, output = run("nobody", "--run", str(kept))

    assert code == 2
    assert "UUID" in output


def test_a_folder_that_kept_no_traces_says_so(tmp_path: Path) -> None:
    code, output = run(ORDER, "--run", str(tmp_path))

    assert code == EXIT_NOT_FOUND
    assert "kept no traces" in output


def test_a_child_stands_deeper_than_its_parent_and_begins_later() -> None:
    lines = drawn(span(0, None), span(1, 0), span(2, 1))

    assert column_of(lines, "step-0") < column_of(lines, "step-1") < column_of(lines, "step-2")
    starts = [line.index("━") for line in lines if "━" in line]
    assert starts == sorted(set(starts))


def test_a_long_name_goes_on_below_at_its_own_indent() -> None:
    lines = drawn(span(0, None), span(1, 0), span(2, 1, name="a name of many words " * 4))

    at = next(number for number, line in enumerate(lines) if "a name" in line)
    indent = column_of(lines, "a name")
    assert lines[at + 1][:indent].isspace()
    assert not lines[at + 1][indent].isspace()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal_however_deep_the_trace(width: int) -> None:
    lines = drawn(*(span(n, n - 1 if n else None) for n in range(60)), width=width)

    assert max(map(cell_len, lines)) <= width
    assert all(any(f"step-{n} " in line for line in lines) for n in range(60))


def test_what_failed_is_seen_without_colour_and_red_with_it() -> None:
    spans = (span(0, None), span(1, 0, failed=True))

    assert "\x1b" not in "".join(drawn(*spans))
    assert any("step-1 ✗ failed" in line for line in drawn(*spans))
    assert any("31m" in line and "step-1" in line for line in drawn(*spans, colour=True))
