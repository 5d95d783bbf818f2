"""`cartwright down`: stop the shop; with `--wipe` forget everything it knew."""

import shutil
from pathlib import Path
from typing import Annotated

import typer
from harness import stack
from harness.process import unprivileged
from harness.process.home import HomeInUse
from harness.providers.choice import provider_of
from rich.console import Console

from cartwright import location

# What a stack remembers. Kept: the emulator's environment and compiled Python, which hold no data.
DATA = ("postgres", "redis", "emulator", "payment-provider", "mailbox", "traces", "logs", "spans")
DATA_FILES = (
    *("secrets.json", "state.json", "ports.json", "launch.json", "messaging.json"),
    *("restarts.jsonl", "topology.json", "self-test.json"),
)

console = Console(highlight=False)


def down(
    home: location.HomeOption = None,
    *,
    wipe: Annotated[
        bool, typer.Option("--wipe", help="Also delete every order, mail and log.")
    ] = False,
) -> None:
    """Stop every process: services first, then what they stand on."""
    place = location.find(home)
    was_running = place.is_locked()
    with console.status("Stopping …"):
        provider_of(place)(place, stack.repository()).stop()
    console.print("Stopped." if was_running else "Nothing was running.")
    if wipe and place.path.exists():
        try:
            with place.locked():  # Somebody may have started it again meanwhile.
                _wipe(place.path)
        except HomeInUse as error:
            console.print(f"[red]Nothing was deleted:[/] {error}", soft_wrap=True)
            raise typer.Exit(1) from None
        console.print(f"Deleted its data in {place.path}.", soft_wrap=True)


def _wipe(home: Path) -> None:
    elsewhere = unprivileged.substitute(home / "postgres")
    for folder in [*(home / name for name in DATA), elsewhere]:
        if folder.exists():
            shutil.rmtree(folder)
    for file in DATA_FILES:
        (home / file).unlink(missing_ok=True)
