"""One process of a shop in a terminal of its own: a real supervisor, with small processes."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cartwright import cli, env, run
from harness import stack
from harness.eventually import eventually
from harness.process.control import Description
from harness.process.home import Home
from harness.process.spec import Kind
from harness.process.stack_config import Launch
from typer.testing import CliRunner

PLANS = stack.repository() / "libs/harness/tests/supervised_for_tests"
# The imports of what forks take 1.5 s on an idle core and several on one that is not.
UP_WITHIN_S = 60
DOWN_WITHIN_S = 20
CARTWRIGHT = (sys.executable, "-c", "from cartwright.cli import main; main()")
CTRL_C = b"\x03"
# As a web process: one that waits for whom it made, who stands where Ctrl-C cannot be heard.
STANDING = """
import os, signal
if os.fork():
    signal.signal(signal.SIGINT, lambda *_: print("asked", flush=True))
    while True:
        signal.pause()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
breakpoint()
signal.pause()
"""
IN_FRONT = """
import os, sys
from cartwright import run
sys.exit(run.in_front([sys.executable, "-c", sys.argv[1]], os.environ, "."))
"""
WEB = Description(Kind.GUNICORN, ["-c", "python:conf", "order.app:create_app()"], {"PORT": "8005"})


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("home"))
    home.create()
    Launch("tiny_plan:steady", str(PLANS), [str(PLANS)], {}).write(home)
    with home.log_file("supervisor").open("wb") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "harness.process.supervisor", "--home", str(home.path)],
            env={**os.environ, "PYTHONPATH": str(PLANS)},
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: stack.endpoints(home.path), UP_WITHIN_S, "the small shop")
        yield home
    finally:
        supervisor.terminate()
        supervisor.wait(DOWN_WITHIN_S)


@pytest.fixture
def home(steady: Home) -> Home:
    eventually(lambda: forked(steady)["state"] == "ready", UP_WITHIN_S, "all of it")
    return steady


def forked(home: Home) -> dict[str, Any]:
    found: dict[str, Any] = (home.read_state() or {})["processes"]["forked"]
    return found


def told(home: Path, *arguments: str) -> tuple[int, str, str]:
    answer = CliRunner().invoke(
        cli.build(["run", "env"]), [*arguments, "--home", str(home)], env={"CARTWRIGHT_HOME": ""}
    )
    return answer.exit_code, answer.stdout, answer.stderr


@contextmanager
def in_front(home: Home) -> Iterator["subprocess.Popen[str]"]:
    """`cartwright run forked` in a terminal; its output begins with what the process tells."""
    running = subprocess.Popen(
        [*CARTWRIGHT, "run", "forked", "--home", str(home.path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        with running:
            yield running
    finally:
        running.kill()


@pytest.mark.parametrize("command", ["run", "env"])
def test_without_a_shop_it_says_how_to_start_one(tmp_path: Path, command: str) -> None:
    code, output, said = told(tmp_path, command, "order")

    assert (code, output) == (1, "")
    assert "cartwright up" in said


@pytest.mark.parametrize("command", ["run", "env"])
@pytest.mark.parametrize("name", ["ordr", "program", "fork-server"])
def test_a_process_that_is_none_is_refused_with_those_that_exist(
    home: Home, command: str, name: str
) -> None:
    code, output, said = told(home.path, command, name)

    assert (code, output) == (2, "")
    assert said == f"There is no process {name!r}. There are: forked, forking\n"


def test_the_environment_is_what_the_process_sees(home: Home) -> None:
    code, output, _ = told(home.path, "env", "forked")

    assert code == 0
    assert f"export PYTHONPATH='{PLANS}'\n" in output
    assert "export TZ='UTC'\n" in output


@pytest.mark.parametrize("value", ["plain", "", "it's $HOME; `ls` \\ \"\n*"])
def test_a_shell_reads_the_very_value(value: str) -> None:
    read = subprocess.run(
        ["/bin/sh", "-c", f'export NAME={env.quoted(value)}; printf %s "$NAME"'],
        capture_output=True,
        check=True,
    )

    assert read.stdout.decode() == value


def test_it_runs_here_instead_of_there_and_is_given_back(home: Home) -> None:
    before = forked(home)

    with in_front(home) as running:
        assert running.stdout is not None
        facts = json.loads(running.stdout.readline())
        meanwhile = forked(home)
        running.terminate()
        code = running.wait(DOWN_WITHIN_S)

    assert facts["arguments"] == ["--alone"]
    assert meanwhile["state"] == "stopped"
    assert code == 0
    after = eventually(lambda: (now := forked(home))["state"] == "ready" and now, UP_WITHIN_S)
    assert after
    assert after["pid"] != before["pid"]
    assert after["restarts"] == before["restarts"], "nobody died"


def test_it_is_given_back_even_by_one_who_is_killed(home: Home) -> None:
    with in_front(home) as running:
        assert running.stdout is not None
        running.stdout.readline()

        running.send_signal(signal.SIGKILL)

        eventually(lambda: forked(home)["state"] == "ready", UP_WITHIN_S, "it comes back")
        assert running.stdout.read() == "", "who ran here has ended as well"


def test_its_place_is_taken_once(home: Home) -> None:
    with in_front(home) as running:
        assert running.stdout is not None
        running.stdout.readline()

        code, _, said = told(home.path, "run", "forked")

        running.terminate()
    assert code == 1
    assert "another `cartwright run`" in said


def test_a_web_process_is_started_as_the_shop_does() -> None:
    argv = run.command(WEB, debug=False)

    assert argv == [sys.executable, "-m", "gunicorn", *WEB.argv]


def test_under_a_debugger_nothing_waits_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")

    argv, seen = run.command(WEB, debug=True), run.environment(WEB, debug=True)

    assert argv[3:5] == ["--timeout", "0"]
    assert seen == {
        "TERM": "xterm",
        "PORT": "8005",
        "WEB_WORKERS": "1",
        "WEB_THREADS": "1",
        "DEBUGGED": "1",
    } | {name: os.environ[name] for name in run.TERMINAL if name in os.environ}


def said(terminal: int, until: bytes) -> bytes:
    """What is shown on the terminal until then; all of it, if nobody is left who could write."""
    shown = b""
    while until not in shown:
        readable, _, _ = select.select([terminal], [], [], UP_WITHIN_S)
        assert readable, f"{until!r} does not come after {shown!r}"
        try:
            shown += os.read(terminal, 1024)
        except OSError:  # EIO: the last one has closed it.
            break
    return shown


def test_a_second_interrupt_ends_who_stands_at_a_debugger_and_keeps_the_terminal() -> None:
    terminal, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    environment = {**os.environ, "TERM": "dumb", "PYTHONBREAKPOINT": ""}
    with subprocess.Popen(
        [sys.executable, "-c", IN_FRONT, STANDING],
        env=environment,
        preexec_fn=lambda: os.login_tty(theirs),
    ) as running:
        try:
            said(terminal, b"(Pdb) ")
            os.write(terminal, CTRL_C)
            said(terminal, b"asked")
            os.write(terminal, CTRL_C)

            code = running.wait(DOWN_WITHIN_S)
        finally:
            running.kill()

    assert code == 128 + signal.SIGKILL
    assert termios.tcgetattr(theirs) == before
    os.close(theirs)
    said(terminal, b"what nobody says")
    os.close(terminal)
