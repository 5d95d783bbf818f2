"""`cartwright run`: one process of the running shop in front of you, in place of the shop's own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer
from harness.process import control, parent_death
from harness.process.control import Description
from harness.process.spec import Kind, ProcessState
from harness.process.stack_config import Launch

from cartwright import location, one_process

# Of the developer's terminal: how a debugger draws, and which one it is.
TERMINAL = ("TERM", "PYTHONBREAKPOINT")
# One request at a time, and nobody ends it while somebody thinks.
ONE_AT_A_TIME: Mapping[str, str] = {"WEB_WORKERS": "1", "WEB_THREADS": "1"}
NO_TIMEOUT = ("--timeout", "0")


def run(
    process: one_process.ProcessArgument,
    home: location.HomeOption = None,
    *,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="One request at a time, no timeout: for `breakpoint()`."),
    ] = False,
) -> None:
    """Run one process in this terminal, with the code as it is now, while the others go on.

    It takes the place of the shop's own, with the same port and settings. Ctrl-C gives it back.
    """
    place = location.find(home)
    name, described = one_process.find(place, process)
    if (place.read_state() or {})["processes"][name]["state"] == ProcessState.STOPPED:
        one_process.refuse(f"{name} is stopped: another `cartwright run` may have its place.")
    try:
        with control.held(place.path, name):
            typer.echo(f"{name} runs here now; Ctrl-C gives it back to the shop.", err=True)
            argv, env = command(described, debug=debug), environment(described, debug=debug)
            code = _in_front(argv, env, Launch.read(place).repo_root)
    except control.ControlRefused as error:
        one_process.refuse(f"{error}. Start it: cartwright up")
    if place.is_locked():
        typer.echo(f"The shop takes {name} back.", err=True)
    else:
        typer.echo("The shop was stopped meanwhile.", err=True)
    raise typer.Exit(code)


def command(described: Description, *, debug: bool) -> list[str]:
    """What a shell would run for it; pure."""
    if described.kind != Kind.GUNICORN:
        return [sys.executable, "-m", *described.argv]
    return [sys.executable, "-m", "gunicorn", *(NO_TIMEOUT if debug else ()), *described.argv]


def environment(described: Description, *, debug: bool) -> dict[str, str]:
    """What it sees here: what it sees in the shop, and the terminal."""
    terminal = {name: os.environ[name] for name in TERMINAL if name in os.environ}
    return {**terminal, **described.env, **(ONE_AT_A_TIME if debug else {})}


def _in_front(argv: list[str], env: Mapping[str, str], cwd: str) -> int:
    """Its exit code. It reads this terminal, and ends with us, however we end."""
    us = os.getpid()
    running = subprocess.Popen(  # noqa: S603  As the shop starts it.
        argv,
        env=dict(env),
        cwd=cwd,
        preexec_fn=lambda: parent_death.die_with_parent(us, signal.SIGTERM),
    )
    with _passed_on(running):
        code = running.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _passed_on(running: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Whoever ends us means it. Ctrl-C reaches it without us: a terminal tells all in front."""

    def tell(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGINT:
            running.send_signal(signal.SIGTERM)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, tell) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
