"""The command `cartwright`. A subcommand is the function named as its module; none lives here."""

import importlib
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer
from harness.process import surroundings

# The order of `cartwright --help`. A new subcommand is a module of this package and a word here.
COMMANDS = (
    "up", "stock", "simulate", "trace", "status", "logs", "run", "env", "import-products",
    "redrive", "down", "doctor",
)  # fmt: skip


def build(commands: Sequence[str] = COMMANDS) -> typer.Typer:
    app = typer.Typer(
        help="Start the shop, send shoppers through it, look at it, and stop it.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_only_subcommands)
    for command in commands:
        name = command.replace("-", "_")
        app.command(command)(getattr(importlib.import_module(f"cartwright.{name}"), name))
    return app


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
    asked = [command for command in COMMANDS if command in sys.argv[1:2]]
    build(asked or COMMANDS)()
