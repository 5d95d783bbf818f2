"""One Python process of a running shop, by the name a developer gives it. Starts and stops none."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer
from harness import stack
from harness.process import control
from harness.process.control import Description
from harness.process.home import Home
from harness.process.spec import Kind

ProcessArgument = Annotated[
    str, typer.Argument(help="order-web, order-worker …; `order` is its web process.")
]
EXIT_UNKNOWN = 2


def find(home: Home, wanted: str) -> tuple[str, Description]:
    """Its whole name and how the shop starts it. Says so and exits if there is none.

    What it says goes to stderr: who sources the output of `env` must not run a sentence.
    """
    state = home.read_state()
    if not state or stack.endpoints(home.path) is None:
        refuse(f"No shop runs in {home.path}. Start it: cartwright up")
    # Databases are programs of others, with an account of their own.
    known = [name for name, one in state["processes"].items() if one["kind"] != Kind.EXEC]
    name = wanted if wanted in known else f"{wanted}-web"
    if name not in known:
        refuse(f"There is no process {wanted!r}. There are: {', '.join(known)}", EXIT_UNKNOWN)
    return name, _description(home.path, name)


def refuse(sentence: str, code: int = 1) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def _description(home: Path, name: str) -> Description:
    try:
        return control.describe(home, name)
    except control.ControlRefused as error:  # It was stopped this moment.
        refuse(f"{error}. Start it: cartwright up")
