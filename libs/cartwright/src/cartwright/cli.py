"""The command `cartwright`. A subcommand is the function named as its module; none lives here.

What drives the shop brings its own: an entry point of the group `cartwright.commands`.
"""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import metadata
from typing import Annotated

import typer
from harness.process import surroundings

# In the order of `cartwright --help`. A new subcommand is a module of this package and a word here.
OURS = (
    "up", "trace", "status", "logs", "run", "env", "redrive", "down", "doctor",
)  # fmt: skip
GROUP = "cartwright.commands"


def build(commands: Sequence[str] = ()) -> typer.Typer:
    """With these subcommands alone, which costs less to import; with all of them, if none."""
    app = typer.Typer(
        help="Start the shop, send shoppers through it, look at it, and stop it.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_only_subcommands)
    for command in commands or (OURS[0], *_brought(), *OURS[1:]):
        app.command(command)(_load(command))
    return app


@cache
def _brought() -> Mapping[str, metadata.EntryPoint]:
    """By name. Only where it is needed: it reads what every installed package says of itself."""
    found = metadata.entry_points(group=GROUP)
    return {entry.name: entry for entry in sorted(found, key=lambda entry: entry.name)}


def _load(command: str) -> Callable[..., None]:
    if command in OURS:
        name = command.replace("-", "_")
        found: Callable[..., None] = getattr(importlib.import_module(f"cartwright.{name}"), name)
    else:
        found = _brought()[command].load()
    return found


def _say_version(asked: bool) -> None:  # noqa: FBT001  As typer calls it.
    if asked:
        typer.echo(f"cartwright {metadata.version('cartwright')}")
        raise typer.Exit


def _only_subcommands(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_say_version, help="Say which version this is."
        ),
    ] = False,
) -> None:
    """Start the shop, send shoppers through it, look at it, and stop it."""


def main() -> None:
    surroundings.clean()  # Before a subcommand imports what reads its environment (ADR-0024).
    # The simulator's imports take longer than most commands: load what was asked for.
    build([word for word in sys.argv[1:2] if word in OURS or word in _brought()])()
