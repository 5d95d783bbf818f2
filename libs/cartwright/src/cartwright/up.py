"""`cartwright up`: start the shop in the background and say where everything is."""

import signal
import time
from collections.abc import Mapping
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from harness import stack
from harness.process.failure import CannotStart
from harness.process.home import Home
from harness.providers.choice import ProviderName, local_provider, provider_of
from harness.providers.local import LocalProvider
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cartwright import location

# How soon foreground mode notices that the stack was stopped from elsewhere.
WATCH_EVERY_S = 0.2

console = Console(highlight=False)


def up(
    home: location.HomeOption = None,
    *,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay, and stop everything on Ctrl-C.")
    ] = False,
    provider: location.ProviderOption = None,
    ephemeral_ports: Annotated[
        bool, typer.Option("--ephemeral-ports", help="Use none of the usual ports.")
    ] = False,
    provable: Annotated[
        bool, typer.Option("--provable", help="Keep ledgers of spans: scenarios may prove flows.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="SERVICE", help="Repeatable.")
    ] = None,
) -> None:
    """Start databases, queues, simulators and all seven services; wait until they are ready."""
    place = location.find(home)
    if only:
        _check_names(only)
    if running := stack.endpoints(place.path):
        if only and set(only) != set(running.services):
            there = ", ".join(running.services)
            raise typer.BadParameter(
                f"{there} run already; `cartwright down` first", param_hint="--only"
            )
        console.print(f"[green]Already running[/] in {place.path}")
    else:
        choice = location.choose_provider(provider)
        console.print(f"[dim]{choice}[/]")
        if choice.name is ProviderName.EXTERNAL:
            raise typer.BadParameter("nothing to start: it runs already", param_hint="--provider")
        ours = local_provider(choice.name)(
            place,
            stack.repository(),
            ephemeral_ports=ephemeral_ports,
            dies_with_us=foreground,
            environment=stack.provable(place.path) if provable else {},
        )
        _start(ours, only)
    show(place.read_state() or {})
    if foreground:
        _stay(place)


def _check_names(only: list[str]) -> None:
    known = stack.topology().services
    unknown = [name for name in only if name not in known]
    if unknown:
        raise typer.BadParameter(
            f"{', '.join(unknown)}: there are {', '.join(known)}", param_hint="--only"
        )


def _start(provider: LocalProvider, only: list[str] | None) -> None:
    started = time.monotonic()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with console.status("Starting the supervisor …") as line:
            for state in provider.states(only):
                line.update(f"{progress(state)}  {time.monotonic() - started:.1f} s")
    except KeyboardInterrupt:
        console.print("Interrupted: stopping what had started …")
        provider.stop()
        raise typer.Exit(130) from None
    except CannotStart as error:
        _explain(error)
    console.print(f"[green]The shop is up[/] after {time.monotonic() - started:.1f} s")


def progress(state: Mapping[str, Any]) -> str:
    """One line: how many processes are ready, and what the rest wait for."""
    processes = state["processes"]
    waiting = [name for name, process in processes.items() if process["state"] != "ready"]
    waiting += state["jobs"]
    ready = len(processes) - sum(name in processes for name in waiting)
    return f"{ready} ready; waiting for {', '.join(waiting) or 'the next step'}"


def _explain(error: CannotStart) -> NoReturn:
    for line in error.log:
        console.print(f"  [dim]{escape(line)}[/]", soft_wrap=True)
    console.print(f"[red]The shop did not start:[/] {escape(str(error))}", soft_wrap=True)
    raise typer.Exit(1)


def show(state: Mapping[str, Any]) -> None:
    """The addresses of a running stack, and what is not where one would look for it."""
    endpoints = state["endpoints"]
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, url in endpoints["services"].items():
        table.add_row(f"[bold]{name}[/]", url)
    table.add_row("traces", endpoints["trace_query_url"])
    table.add_row("mails", endpoints["mailbox_url"])
    table.add_row("payment provider", endpoints["payment_provider_url"])
    table.add_row("SNS and SQS", endpoints["aws_endpoint_url"])
    console.print(table)
    for line in moved_ports(state["ports"]) + state["notes"]:
        console.print(f"[yellow]note[/] {line}", soft_wrap=True)


def moved_ports(ports: Mapping[str, Mapping[str, int]]) -> list[str]:
    """One sentence, if any part does not listen where it usually does."""
    used = ports["used"]
    moved = [name for name, usual in ports["usual"].items() if used.get(name, usual) != usual]
    match moved:
        case []:
            return []
        case [name]:
            return [f"port {ports['usual'][name]} was taken, so {name} listens on {used[name]}"]
    return [
        f"{len(moved)} usual ports were taken, so others listen: `cartwright status` shows them all"
    ]


def _stay(home: Home) -> None:
    console.print("Ctrl-C stops everything.")
    try:
        while home.is_locked():
            time.sleep(WATCH_EVERY_S)
    except KeyboardInterrupt:
        console.print("Stopping …")
        provider_of(home)(home, stack.repository()).stop()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
