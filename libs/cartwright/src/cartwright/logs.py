"""`cartwright logs`: what the processes wrote, one or all of them, now or as it happens."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from harness.home import Home

from cartwright import location

LINES = 50
# Soon enough to watch, rare enough to cost nothing.
FOLLOW_EVERY_S = 0.2


def logs(
    name: Annotated[str | None, typer.Argument(help="A process; all of them if left out.")] = None,
    home: location.HomeOption = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Of each process.")] = LINES,
) -> None:
    """Print the last lines of one process, or of all with their names in front."""
    place = location.find(home)
    known = sorted(file.stem for file in (place.path / "logs").glob("*.log"))
    if name and name not in known:
        typer.echo(
            f"There is no log of {name!r}. There are: {', '.join(known) or 'none'}", err=True
        )
        raise typer.Exit(1)
    chosen = [name] if name else known
    positions = {process: _size(place.log_file(process)) for process in chosen}
    for process in chosen:
        for line in place.log_tail(process, lines) if lines else []:
            _write(process, line, prefixed=not name)
    if follow:
        try:
            _follow(place, positions, prefixed=not name)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


def _follow(home: Home, positions: dict[str, int], *, prefixed: bool) -> None:
    while True:
        for process in positions:
            for line in new_lines(home.log_file(process), positions, process):
                _write(process, line, prefixed=prefixed)
        sys.stdout.flush()
        time.sleep(FOLLOW_EVERY_S)


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


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _write(process: str, line: str, *, prefixed: bool) -> None:
    sys.stdout.write(f"{process:20} {line}\n" if prefixed else f"{line}\n")
