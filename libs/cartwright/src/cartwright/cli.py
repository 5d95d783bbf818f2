"""The command `cartwright`. A subcommand is the function named as its module; none lives here."""

import importlib
import sys
from collections.abc import Sequence

import typer
from harness import surroundings

# The order of `cartwright --help`. A new subcommand is a module of this package and a word here.
COMMANDS = (
    "up", "stock", "simulate", "trace", "status", "logs", "import-products", "redrive", "down",
    "doctor",
)  # fmt: skip


def build(commands: Sequence[str] = COMMANDS) -> typer.Typer:
    app = typer.Typer(
        help="Start the shop, send shoppers through it, look at it, and stop it.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_only_subcommands)
    for command in commands:
        name = command.replace("-", "_")
        app.command(command)(getattr(importlib.import_module(f"cartwright.{name}"), name))
    return app


def _only_subcommands() -> None:
    """Start the shop, send shoppers through it, look at it, and stop it."""


def main() -> None:
    surroundings.clean()  # Before a subcommand imports what reads its environment (ADR-0024).
    # The simulator's imports take longer than most commands: load what was asked for.
    asked = [command for command in COMMANDS if command in sys.argv[1:2]]
    build(asked or COMMANDS)()
