"""Which stack a command means, and on what it stands: options, else the environment."""

import os
from pathlib import Path
from typing import Annotated

import typer
from harness import stack
from harness.process.home import HOME_VARIABLE, Home
from harness.providers.choice import PROVIDER_VARIABLE, Choice, UnknownProvider, choose

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar=HOME_VARIABLE, help="Where the stack keeps its state."),
]

ProviderOption = Annotated[
    str | None,
    typer.Option(
        "--provider",
        help=f"embedded, containers, external or auto. Default: {PROVIDER_VARIABLE}, or embedded.",
    ),
]

ShopOption = Annotated[
    str | None,
    typer.Option(
        "--shop",
        metavar="WHICH",
        help="One that runs: `running`, `compose`, or a file of its endpoints.",
    ),
]

# As `systemctl status` does it for what is not running.
EXIT_NOT_RUNNING = 3


ANOTHER_HOME = "Choose another place for the shop's data: --home DIR."


def named(chosen: Path | None) -> Home:
    return Home(chosen.resolve()) if chosen else Home.default(stack.repository())


def find(chosen: Path | None, otherwise: int = 1) -> Home:
    """The home that a command means. Says so and exits with *otherwise* if we may not use it."""
    home = named(chosen)
    place = nearest(home)
    if not is_ours(place):
        typer.echo(f"{place} is not writable. {ANOTHER_HOME}")
        raise typer.Exit(otherwise)
    return home


def nearest(home: Home) -> Path:
    """The home, or the folder it would be made in."""
    # `Path.exists` raises where a folder on the way may not be entered.
    return next(path for path in (home.path, *home.path.parents) if os.path.exists(path))


def is_ours(place: Path) -> bool:
    return os.access(place, os.W_OK | os.X_OK)


def choose_provider(wanted: str | None, shop: str | None = None) -> Choice:
    """What `--provider` and `--shop` mean here. Raises `typer.BadParameter`."""
    try:
        return choose(wanted, stack.repository(), shop=shop)
    except UnknownProvider as error:
        raise typer.BadParameter(str(error), param_hint="--provider") from error
