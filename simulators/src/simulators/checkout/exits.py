"""How a run ends: its exit code, and what is said if nothing was judged."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import typer
from harness.audit.books import BooksUnread
from harness.process.failure import CannotStart
from harness.process.home import RunUnderWay
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from simulators.checkout import job_summary
from simulators.checkout.documents import DocumentRefused
from simulators.checkout.gate import Judgement
from simulators.checkout.results import Result
from simulators.checkout.run import ShopNotAtRest
from simulators.checkout.seed import SeedingFailed
from simulators.checkout.weather.plan import WeatherRefused
from simulators.journey.load import JourneyNotInstalled

# Whatever fails is 2 through `make`, so that the worst is 2 without it, too. 1 is Python's own.
EXIT_HOLDS, EXIT_BROKEN, EXIT_NOT_JUDGED, EXIT_GATE_NOT_MET = 0, 2, 3, 4
# As a shell says of what Ctrl-C ended: all that was done holds, but it was not all.
EXIT_INTERRUPTED = 130
# What is said of each; {error} is its message, {directory} the folder of the report.
REASONS: Mapping[type[Exception], str] = {
    DocumentRefused: "[red]This file cannot be used:[/] {error}",
    WeatherRefused: "[red]No such weather:[/] {error}",
    JourneyNotInstalled: "[red]{error}[/]",
    RunUnderWay: "[red]Another run is under way:[/] {error}",
    CannotStart: "[red]There is no shop to send shoppers through:[/] {error}",
    SeedingFailed: "[red]The shop could not be stocked:[/] {error}",
    BooksUnread: (
        "[red]Nothing could be judged:[/] {error}. `cartwright status` tells who is away;"
        " what the shoppers saw is in {directory}."
    ),
    ShopNotAtRest: (
        "[red]The shop is not at rest:[/] {error}. What this run found could be the fault of what"
        " was before. `cartwright redrive --all` sends dead letters back;"
        " `cartwright down --wipe` starts afresh; `--home DIR` uses another shop."
    ),
}


def exit_code(result: Result, gate: Judgement | None = None) -> int:
    """What is broken comes first, then what is unknown: figures of such a run say little."""
    if not result.holds:
        return EXIT_BROKEN if result.is_judged else EXIT_NOT_JUDGED
    if result.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_HOLDS if gate is None or gate.is_met else EXIT_GATE_NOT_MET


@contextmanager
def told_if_not_judged(console: Console, directory: Path) -> Iterator[None]:
    """Says each of `REASONS`, also in the job summary. Raises typer.Exit for it."""
    try:
        yield
    except tuple(REASONS) as error:
        reason = next(said for kind, said in REASONS.items() if isinstance(error, kind))
        text = reason.format(error=escape(str(error)), directory=escape(str(directory)))
        console.print(text, soft_wrap=True)
        job_summary.append(console, job_summary.refusal(Text.from_markup(text).plain))
        raise typer.Exit(EXIT_NOT_JUDGED) from error
