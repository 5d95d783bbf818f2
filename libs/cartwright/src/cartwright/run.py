"""`cartwright run`: one process of the running shop in front of you, in place of the shop's own."""

import os
import signal
import subprocess
import sys
import termios
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
# One request at a time; a worker does not take a loop that somebody stands in for one that hangs.
UNHURRIED: Mapping[str, str] = {"WEB_WORKERS": "1", "WEB_THREADS": "1", "DEBUGGED": "1"}
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

    It takes the place of the shop's own, with the same port and settings. Ctrl-C gives it back;
    a second one does not wait for it, as at `(Pdb)`.
    """
    place = location.find(home)
    name, described = one_process.find(place, process)
    if (place.read_state() or {})["processes"][name]["state"] == ProcessState.STOPPED:
        one_process.refuse(f"{name} is stopped: another `cartwright run` may have its place.")
    try:
        with control.held(place.path, name):
            typer.echo(f"{name} runs here now; Ctrl-C gives it back to the shop.", err=True)
            argv, env = command(described, debug=debug), environment(described, debug=debug)
            code = in_front(argv, env, Launch.read(place).repo_root)
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
    return {**terminal, **described.env, **(UNHURRIED if debug else {})}


def in_front(argv: list[str], env: Mapping[str, str], cwd: str) -> int:
    """Its exit code. It reads this terminal, and ends with us, however we end."""
    us = os.getpid()
    with _terminal_kept():
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
def _terminal_kept() -> Iterator[None]:
    """Who is ended at `(Pdb)` leaves a terminal that does not show what is typed."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, before)


@contextmanager
def _passed_on(running: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Whoever ends us means it. Ctrl-C reaches it without us: a terminal tells all in front.

    Who comes to a second Ctrl-C was not heard: it waits for a thread that stands at `(Pdb)`.
    """
    interrupts = 0

    def tell(number: int, _frame: FrameType | None) -> None:
        nonlocal interrupts
        if number != signal.SIGINT:
            running.send_signal(signal.SIGTERM)
            return
        interrupts += 1
        if interrupts > 1:
            control.end_family(running.pid)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, tell) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
