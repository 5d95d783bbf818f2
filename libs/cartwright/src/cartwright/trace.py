"""`cartwright trace`: the waterfall of one checkout, from a running shop or a run's folder."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import psycopg2
import typer
from harness import stack
from harness.audit import tables
from harness.process.endpoints import Endpoints
from harness.suite.report import drawing
from harness.suite.report.recording import Bar
from harness.suite.report.waterfall import span_ms
from harness.traces import trace_archive
from harness.traces.causality import Trace
from harness.traces.reader import TraceReader
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cartwright import location

EXIT_NOT_FOUND = 1
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}")
# More runs than a person remembers; each costs the reading of its index, milliseconds.
RUNS_LOOKED_AT = 20
# Of the width: the bars, and what an indent must leave of a name before it wraps.
BAR_SHARE, NAME_MIN = 5, 18
NUMBER_WIDTH = 7
INDENT = 2
COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green")


@dataclass(frozen=True)
class Found:
    """source: where it was, for the reader."""

    trace: Trace
    trace_id: str
    order_id: str | None
    source: str


def trace(
    order_or_trace: Annotated[
        str, typer.Argument(metavar="ORDER|TRACE", help="The id of an order or of a trace.")
    ],
    run: Annotated[
        Path | None,
        typer.Option("--run", help="A run's folder. Default: the running shop, then reports/."),
    ] = None,
    home: location.HomeOption = None,
) -> None:
    """Draw the trace of one checkout: who did what, when, for how long. Needs no running shop.

    Exit code 1: it is in none of the places that were looked at. 2: that is no id.
    """
    console = Console(highlight=False)
    wanted, looked_at = order_or_trace.strip().lower(), []
    if not ID.fullmatch(wanted):
        raise typer.BadParameter("an order has a UUID, a trace 32 hex digits")
    for source, found in _places(wanted, run, home):
        if found:
            draw(console, found)
            return
        looked_at.append(source)
    # Not wrapped at 80 columns: paths are to be copied.
    console.print(Text(f"No trace of {wanted}. Looked at:", style="red"), soft_wrap=True)
    for source in looked_at or ["nothing: no shop runs, and there is no run in reports/"]:
        console.print(Text(f"  {source}"), soft_wrap=True)
    raise typer.Exit(EXIT_NOT_FOUND)


def _places(wanted: str, run: Path | None, home: Path | None) -> Iterator[tuple[str, Found | None]]:
    """Every place to look at, one after the other, with what is there."""
    if run:
        yield _in_run(wanted, run)
        return
    endpoints = stack.endpoints(location.find(home).path)
    if endpoints:
        yield _in_shop(wanted, endpoints)
    reports = stack.repository() / "reports"
    runs = sorted(
        (folder.parent for folder in reports.glob(f"*/{trace_archive.FOLDER}")), reverse=True
    )
    for folder in runs[:RUNS_LOOKED_AT]:
        yield _in_run(wanted, folder)


def _in_run(wanted: str, folder: Path) -> tuple[str, Found | None]:
    kept = folder / trace_archive.FOLDER
    if not (kept / trace_archive.INDEX).exists():
        return f"the run {folder}, which kept no traces", None
    source, entry = f"the run {folder}", trace_archive.find(kept, wanted)
    if entry is None:
        return source, None
    found = Found(trace_archive.read(kept, entry), entry.trace_id, entry.order_id, source)
    return source, found


def _in_shop(wanted: str, endpoints: Endpoints) -> tuple[str, Found | None]:
    source = f"the running shop, {endpoints.trace_query_url}"
    try:
        order_id = wanted if "-" in wanted else None
        trace_id = tables.read_trace_id(endpoints.auditor_dsn, wanted) if order_id else wanted
        with TraceReader(endpoints.trace_query_url) as reader:
            stored = reader.fetch(trace_id) if trace_id else None
    except (httpx.HTTPError, psycopg2.Error) as error:
        return f"{source}, which did not tell: {error}".strip(), None
    return source, Found(stored, str(trace_id), order_id, source) if stored else None


def draw(console: Console, found: Found) -> None:
    """A line a span, at any width; without a terminal no colour, and a failed one says so."""
    bars = drawing.bars(found.trace)
    if found.order_id:
        console.print(Text(f"order {found.order_id}"), soft_wrap=True)
    console.print(Text(f"trace {found.trace_id}\nfrom {found.source}"), soft_wrap=True)
    failed = sum(span.failed for span in found.trace.spans)
    console.print(f"{len(found.trace.spans)} spans, {failed} failed, {span_ms(bars):,.0f} ms\n")
    console.print(_waterfall(bars, console.width))
    hidden = len(found.trace.spans) - len(bars)
    if hidden:
        console.print(f"… and {hidden} more spans")


def _waterfall(bars: Sequence[Bar], width: int) -> Table:
    bar_width = width // BAR_SHARE
    name_width = width - bar_width - 2 * NUMBER_WIDTH - 3
    deepest = max((bar.depth for bar in bars), default=0) or 1
    room = (name_width - NAME_MIN) / deepest
    # Whole columns while there are some; below one, parent and child may share an indent.
    indent = min(INDENT, int(room)) or room
    whole_ms = span_ms(bars) or 1.0
    services = list(dict.fromkeys(bar.service for bar in bars))
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("span", width=name_width, overflow="fold")
    table.add_column("at ms", width=NUMBER_WIDTH, justify="right")
    table.add_column("ms", width=NUMBER_WIDTH, justify="right")
    table.add_column("", width=bar_width, no_wrap=True)
    for bar in bars:
        colour = "red" if bar.failed else COLOURS[services.index(bar.service) % len(COLOURS)]
        table.add_row(
            Padding(_label(bar, colour), (0, 0, 0, int(bar.depth * indent))),
            f"{bar.start_ms:,.1f}",
            f"{bar.duration_ms:,.1f}",
            Text(_stroke(bar, whole_ms, bar_width), style=colour),
        )
    return table


def _label(bar: Bar, colour: str) -> Text:
    label = Text.assemble((bar.service, f"bold {colour}"), " ", bar.name)
    if bar.failed:
        label.append(" ✗ failed")
        label.stylize("red")
    if bar.led_by_link:
        label.append(" ↬")
    if bar.is_lost:
        label.append(" (lost with its process)", style="dim")
    return label


def _stroke(bar: Bar, whole_ms: float, width: int) -> str:
    """At least one mark, and never beyond *width*."""
    start = min(int(bar.start_ms / whole_ms * width), width - 1)
    length = round(bar.duration_ms / whole_ms * width)
    return " " * start + "━" * max(1, min(length, width - start))
