"""Which stack a command means, and on what it stands: options, else the environment."""

from pathlib import Path
from typing import Annotated

import typer
from harness import stack
from harness.home import HOME_VARIABLE, Home
from harness.providers.choice import PROVIDER_VARIABLE, Choice, UnknownProvider, choose

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar=HOME_VARIABLE, help="Where the stack keeps its state."),
]

ProviderOption = Annotated[
    str | None,
    typer.Option(
        "--provider",
        envvar=PROVIDER_VARIABLE,
        help="embedded, containers, external or auto. Default: embedded.",
    ),
]

# As `systemctl status` does it for what is not running.
EXIT_NOT_RUNNING = 3


def find(chosen: Path | None) -> Home:
    return Home(chosen.resolve()) if chosen else Home.default(stack.repository())


def choose_provider(wanted: str | None) -> Choice:
    """What `--provider` means here. Raises `typer.BadParameter`."""
    try:
        return choose(wanted, stack.repository())
    except UnknownProvider as error:
        raise typer.BadParameter(str(error), param_hint="--provider") from error
