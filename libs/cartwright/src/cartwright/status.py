"""`cartwright status`: every process, what it costs, and how often it came back."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import psutil
import typer
from harness.process import control
from harness.process.home import Home
from rich.console import Console
from rich.table import Table

from cartwright import location

COLOURS = {"ready": "green", "starting": "yellow", "restarting": "yellow", "failed": "red"}

console = Console(highlight=False)


def status(
    home: location.HomeOption = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show the processes of the shop. Exits with 3 when it is not running."""
    report = collect(location.find(home))
    if as_json:
        typer.echo(json.dumps(report, indent=1))
    else:
        _print(report)
    if report["status"] not in {"running", "starting"}:
        raise typer.Exit(location.EXIT_NOT_RUNNING)


def collect(home: Home) -> dict[str, Any]:
    """JSON-able. cpu_s and pss_mb include a process's own children; None if it is not running."""
    state = home.read_state()
    if not state:
        return {"status": "stopped", "home": str(home.path), "processes": [], "notes": []}
    is_alive = control.same_process(state["supervisor"]) is not None
    # Whoever was killed could not write down that it stopped.
    status = state["status"] if is_alive else "failed" if state["failure"] else "stopped"
    supervisor = {**state["supervisor"], "state": "ready", "restarts": 0, "port": None}
    recorded = {"supervisor": supervisor, **state["processes"]} if is_alive else {}
    pids = {process["pid"] for process in recorded.values()}
    return {
        "status": status,
        "home": str(home.path),
        "started_at": state["started_at"],
        "start_s": state["start_s"],
        "processes": [_row(name, process, pids) for name, process in recorded.items()],
        "notes": state["notes"],
        "failure": state["failure"],
    }


def _row(name: str, process: Mapping[str, Any], pids: set[int]) -> dict[str, Any]:
    row = {key: process[key] for key in ("pid", "state", "restarts", "port")}
    try:
        usage = control.usage(process["pid"], pids) if process["pid"] else None
    except psutil.NoSuchProcess:
        usage = None
    return {
        "process": name,
        **row,
        "cpu_s": usage and usage.cpu_s,
        "pss_mb": usage and usage.pss_mb,
    }


def _print(report: Mapping[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("process")
    table.add_column("state")
    for column in ("pid", "port", "restarts", "CPU s", "PSS MB"):
        table.add_column(column, justify="right")
    for row in report["processes"]:
        colour = COLOURS.get(row["state"], "dim")
        cells = (row[key] for key in ("pid", "port", "restarts", "cpu_s", "pss_mb"))
        state = f"[{colour}]{row['state']}[/]"
        table.add_row(row["process"], state, *("" if c is None else str(c) for c in cells))
    if report["processes"]:
        console.print(table)
    cpu_s = sum(row["cpu_s"] or 0 for row in report["processes"])
    pss_mb = sum(row["pss_mb"] or 0 for row in report["processes"])
    total = f"{report['status']} in {report['home']}: {cpu_s:.1f} s CPU, {pss_mb:.0f} MB"
    console.print(total, soft_wrap=True)
    for note in report["notes"]:
        console.print(f"[yellow]note[/] {note}", soft_wrap=True)
