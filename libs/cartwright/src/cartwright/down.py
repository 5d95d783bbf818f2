"""`cartwright down`: stop the shop; with `--wipe` forget everything it knew."""

import shutil
from typing import Annotated

import typer
from harness import stack
from harness.providers import unprivileged
from harness.providers.embedded import EmbeddedProvider
from rich.console import Console

from cartwright import location

# What a stack remembers. Kept: the emulator's environment and compiled Python, which hold no data.
DATA = ("postgres", "redis", "emulator", "payment-provider", "mailbox", "logs")
DATA_FILES = (
    *("secrets.json", "state.json", "ports.json", "launch.json", "messaging.json"),
    *("restarts.jsonl", "outline.json"),
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
        EmbeddedProvider(place, stack.repository()).stop()
    console.print("Stopped." if was_running else "Nothing was running.")
    if wipe:
        for folder in DATA:
            shutil.rmtree(place.path / folder, ignore_errors=True)
        shutil.rmtree(unprivileged.substitute(place.path / "postgres"), ignore_errors=True)
        for file in DATA_FILES:
            (place.path / file).unlink(missing_ok=True)
        console.print(f"Deleted its data in {place.path}.")
