"""`cartwright logs`: what the processes wrote, merged by time, narrowed down, or as it happens."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from harness.process.home import Home

from cartwright import location

LINES = 50
# Soon enough to watch, rare enough to cost nothing.
FOLLOW_EVERY_S = 0.2
LEVELS = ("debug", "info", "warning", "error", "critical")
COLOURS = {
    "warning": typer.colors.YELLOW, "error": typer.colors.RED, "critical": typer.colors.RED,
}  # fmt: skip
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
# Said by the columns, or by the trace's id.
NOT_REPEATED = {"timestamp", "event", "level", "service", "role", "exception"}
BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """at: when it was written; of what tells no time, when the line before it was."""

    process: str
    at: datetime
    text: str
    fields: dict[str, Any] | None = None

    @property
    def level(self) -> str:
        return str((self.fields or {}).get("level", "info"))

    @property
    def trace_id(self) -> str | None:
        return (self.fields or {}).get("trace_id")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines to show. about: ids; none if all are wanted."""

    level: str = LEVELS[0]
    since: datetime = BEFORE_ALL
    about: Collection[str] = ()

    def holds(self, line: Line) -> bool:
        return (
            LEVELS.index(self.level) <= _rank(line.level)
            and line.at >= self.since
            and (not self.about or any(id_ in line.text for id_ in self.about))
        )


def logs(
    name: Annotated[
        str | None,
        typer.Argument(help="A process, or all that begin so: `order` is its web and its worker."),
    ] = None,
    home: location.HomeOption = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Of each process.")] = LINES,
    about: Annotated[
        str, typer.Option("--about", metavar="ID", help="Of an order, a trace: all of its traces.")
    ] = "",
    level: Annotated[str, typer.Option("--level", help="At least: warning, error …")] = LEVELS[0],
    since: Annotated[str, typer.Option("--since", help="10s, 5m, 2h, or a moment.")] = "",
    raw: Annotated[bool, typer.Option("--raw", help="As written; so it is in a pipe.")] = False,
) -> None:
    """Print the last lines of processes, merged by time; several with their names in front."""
    place = location.find(home)
    known = sorted(file.stem for file in (place.path / "logs").glob("*.log"))
    chosen = [process for process in known if name in {None, process}]
    chosen = chosen or [process for process in known if process.startswith(f"{name}-")]
    if not chosen:
        there = ", ".join(known) or "none"
        typer.echo(f"There is no log of {name!r}. There are: {there}", err=True)
        raise typer.Exit(1)
    if level not in LEVELS:
        raise typer.BadParameter(f"there are {', '.join(LEVELS)}", param_hint="--level")
    show = _printer(raw=raw or not sys.stdout.isatty(), named=name not in chosen)
    positions = {process: _size(place.log_file(process)) for process in chosen}
    # Who narrows nothing down needs no more than the ends.
    enough = None if about or since or level != LEVELS[0] else lines
    written = {process: list(_lines(place, process, enough)) for process in chosen}
    ids = {about, *_traces(written.values(), about)} if about else set()
    if not any(about in line.text for lines in written.values() for line in lines) and about:
        typer.echo(f"No line of these logs is about {about}.", err=True)
        if not follow:  # Else it may still come.
            raise typer.Exit(1)
    wanted = Wanted(level, _moment(since) if since else BEFORE_ALL, ids)
    try:
        for line in last(written.values(), wanted, lines):
            show(line)
        sys.stdout.flush()
        if follow:
            _follow(place, positions, wanted, show)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:  # Whoever read has enough: `cartwright logs | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def last(logs: Iterable[Sequence[Line]], wanted: Wanted, count: int) -> list[Line]:
    """The last *count* lines of each that are wanted, the oldest first."""
    chosen = [[line for line in lines if wanted.holds(line)] for lines in logs]
    # Sorting keeps the order of what was written at the same moment.
    return sorted(
        (line for lines in chosen for line in (lines[-count:] if count else ())),
        key=lambda line: line.at,
    )


def _traces(logs: Iterable[Sequence[Line]], id_: str) -> set[str]:
    """Of the lines that name it: what led to an order says nothing of its id."""
    return {line.trace_id for lines in logs for line in lines if line.trace_id and id_ in line.text}


def read(process: str, texts: Iterable[str], after: datetime = BEFORE_ALL) -> Iterator[Line]:
    """after: when the line before the first was written."""
    at = after
    for text in texts:
        fields = _fields(text)
        at = _written_at(fields) or at
        yield Line(process, at, text, fields)


def for_people(line: Line) -> str:
    """Time, level and what happened, then the rest as `name=value`; other programs' as it is."""
    if line.fields is None:
        return line.text
    rest = " ".join(
        f"{name}={value}" for name, value in line.fields.items() if name not in NOT_REPEATED
    )
    shown = f"{line.at.astimezone():%H:%M:%S.%f}"[:-3] + f" {line.level:8}"
    shown = typer.style(shown, fg=COLOURS.get(line.level), dim=line.level not in COLOURS)
    exception = line.fields.get("exception")
    tail = "".join(f"\n    {one}" for one in exception.splitlines()) if exception else ""
    return f"{shown} {line.fields.get('event', '')}  {typer.style(rest, dim=True)}{tail}"


def new_lines(path: Path, positions: dict[str, int], process: str) -> Iterator[str]:
    """Complete lines since *positions[process]*, which moves on; from the top of a newer file."""
    size = _size(path)
    if size < positions[process]:
        positions[process] = 0  # The supervisor set the old one aside.
    if size == positions[process]:
        return
    with path.open("rb") as file:
        file.seek(positions[process])
        for line in file:
            if not line.endswith(b"\n"):
                return  # Its writer is not done.
            positions[process] += len(line)
            yield line.decode(errors="replace").rstrip("\n")


def _lines(home: Home, process: str, count: int | None) -> Iterator[Line]:
    """The last *count* of a log; all of it, if that is None."""
    if count is not None:
        yield from read(process, home.log_tail(process, count) if count else ())
        return
    with home.log_file(process).open(encoding="utf-8", errors="replace") as file:
        yield from read(process, (line.rstrip("\n") for line in file))


def _follow(
    home: Home, positions: dict[str, int], wanted: Wanted, show: Callable[[Line], None]
) -> None:
    while True:
        now = datetime.now(UTC)
        for process in positions:
            news = new_lines(home.log_file(process), positions, process)
            for line in read(process, news, now):
                if wanted.holds(line):
                    show(line)
        sys.stdout.flush()
        time.sleep(FOLLOW_EVERY_S)


def _printer(*, raw: bool, named: bool) -> Callable[[Line], None]:
    def show(line: Line) -> None:
        text = line.text if raw else for_people(line)
        sys.stdout.write(f"{line.process:20} {text}\n" if named else f"{text}\n")

    return show


def _fields(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _written_at(fields: dict[str, Any] | None) -> datetime | None:
    try:
        return datetime.fromisoformat((fields or {})["timestamp"])
    except (KeyError, TypeError, ValueError):
        return None


def _moment(text: str) -> datetime:
    """10s, 5m, 2h, 1d: so long ago; else a moment as in ISO 8601, here if it names no zone."""
    if ago := re.fullmatch(r"(\d+)([smhd])", text):
        return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * UNITS_S[ago[2]])
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise typer.BadParameter("10s, 5m, 2h, or a moment", param_hint="--since") from error


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else LEVELS.index("info")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
