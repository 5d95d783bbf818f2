"""Which stack a command means: `--home`, else CARTWRIGHT_HOME, else the repository's own."""

from pathlib import Path
from typing import Annotated

import typer
from harness import stack
from harness.home import HOME_VARIABLE, Home

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar=HOME_VARIABLE, help="Where the stack keeps its state."),
]

# As `systemctl status` does it for what is not running.
EXIT_NOT_RUNNING = 3


def find(chosen: Path | None) -> Home:
    return Home(chosen.resolve()) if chosen else Home.default(stack.repository())
