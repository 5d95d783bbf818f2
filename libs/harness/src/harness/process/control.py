"""Look at a running stack's processes, and stop or signal one on purpose. Supervises nothing."""

import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from harness.eventually import eventually
from harness.process.home import Home

CONTROL_SOCKET = "control.sock"
# Two readings of one process's start may differ by a clock tick and the clock's correction.
CREATE_TIME_TOLERANCE_S = 1.0
# Stopping may take 30 s (see `STOP_WITHIN_S`), and starting again a few more.
ANSWER_WITHIN_S = 60.0
LEFTOVER_STOP_WITHIN_S = 10.0
FROZEN_WITHIN_S = 10.0


class ProcessGone(RuntimeError):
    """Nothing by that name runs, or its pid belongs to somebody else by now."""


class ControlRefused(RuntimeError):
    """The supervisor could not do it; the message says why."""


@dataclass(frozen=True)
class Usage:
    """Of a process and those it made. pss_mb: its share of memory; 0 where the kernel hides it."""

    cpu_s: float
    pss_mb: float


@dataclass(frozen=True)
class Description:
    """How a process is started. kind, argv: see `Kind`. env: everything it sees."""

    kind: str
    argv: list[str]
    env: dict[str, str]


def find(home: Path, name: str) -> psutil.Process:
    """The process that the stack of *home* calls *name*. Raises `ProcessGone`."""
    state = Home(home).read_state() or {}
    recorded = state.get("processes", {}).get(name)
    if recorded is None:
        raise ProcessGone(f"{home} runs no {name}")
    process = same_process(recorded)
    if process is None:
        raise ProcessGone(f"{name} (pid {recorded['pid']}) is gone")
    return process


def same_process(recorded: Mapping[str, Any]) -> psutil.Process | None:
    """The living process with that pid and create_time, not one that got its pid later."""
    if not recorded["pid"]:
        return None
    try:
        process = psutil.Process(recorded["pid"])
        is_same = abs(process.create_time() - recorded["create_time"]) <= CREATE_TIME_TOLERANCE_S
    except psutil.NoSuchProcess:
        return None
    return process if is_same and is_alive(process) else None


def is_alive(process: psutil.Process) -> bool:
    """A zombie is dead: it only waits for its parent, or for the machine's first process."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(home: Path, name: str, number: signal.Signals = signal.SIGKILL) -> int:
    """Send a signal to one process of the stack; returns its pid. The supervisor is not told.

    Raises `ProcessGone`.
    """
    process = find(home, name)
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess as error:
        raise ProcessGone(f"{name} (pid {process.pid}) is gone") from error
    return int(process.pid)


def freeze(home: Path, name: str) -> None:
    """Let one process stand still, with those it made, one of which may be who serves.

    Returns when all of them do, or have ended. Raises `ProcessGone`, and AssertionError if one goes
    on.
    """
    tree = _tree(home, name)
    for process in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    eventually(lambda: all(map(_does_nothing, tree)), FROZEN_WITHIN_S, f"{name} standing still")


def thaw(home: Path, name: str) -> None:
    """Let it go on. Raises `ProcessGone`."""
    for process in _tree(home, name):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()


def thaw_all(home: Path) -> None:
    """Let go on whom somebody froze who did not come back."""
    for name, recorded in (Home(home).read_state() or {}).get("processes", {}).items():
        process = same_process(recorded)
        if process and _does_nothing(process):
            with contextlib.suppress(ProcessGone):
                thaw(home, name)


def _does_nothing(process: psutil.Process) -> bool:
    """What has ended stays a zombie: its parent stands still, too."""
    try:
        return process.status() in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}
    except psutil.NoSuchProcess:
        return True


def _tree(home: Path, name: str) -> list[psutil.Process]:
    """The process and its descendants, less those that the stack knows by a name of their own."""
    named = [one["pid"] for one in (Home(home).read_state() or {})["processes"].values()]
    return _family(find(home, name), named)


def _family(top: psutil.Process, others: Iterable[int]) -> list[psutil.Process]:
    """*top* and its descendants, except *others* and theirs."""
    excluded = set(others) - {top.pid}
    family, pending = [], [top]
    while pending:
        process = pending.pop()
        family.append(process)
        with contextlib.suppress(psutil.NoSuchProcess):
            pending += [child for child in process.children() if child.pid not in excluded]
    return family


def end_family(pid: int) -> None:
    """Kill a process and those it made, which might stand where they never notice that it ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in _family(psutil.Process(pid), ()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def stop(home: Path, name: str) -> None:
    """Stop one process and leave it stopped. Raises `ControlRefused`."""
    _ask(home, "stop", name)


def start(home: Path, name: str) -> None:
    """Start a stopped or failed process again; returns when it is ready.

    Raises `ControlRefused`.
    """
    _ask(home, "start", name)


def restart(home: Path, name: str, within_s: float = ANSWER_WITHIN_S) -> None:
    """Stop and start one process, each *within_s*. Raises `ControlRefused`."""
    _ask(home, "stop", name, within_s)
    _ask(home, "start", name, within_s)


def describe(home: Path, name: str) -> Description:
    """How one process is started, passwords and all. Raises `ControlRefused`."""
    told = _ask(home, "describe", name)
    return Description(told["kind"], told["argv"], told["env"])


@contextlib.contextmanager
def held(home: Path, name: str) -> Iterator[None]:
    """Have one process stopped for as long as the block runs; it comes back even if we are killed.

    Raises `ControlRefused`.
    """
    with _asked(home, "hold", name):
        yield


def _ask(home: Path, action: str, name: str, within_s: float = ANSWER_WITHIN_S) -> dict[str, Any]:
    with _asked(home, action, name, within_s) as answer:
        return answer


@contextlib.contextmanager
def _asked(
    home: Path, action: str, name: str, within_s: float = ANSWER_WITHIN_S
) -> Iterator[dict[str, Any]]:
    """The supervisor's answer, with the line to it open."""
    with socket.socket(socket.AF_UNIX) as channel, control_address(home) as address:
        channel.settimeout(within_s)
        try:
            channel.connect(address)
            channel.sendall(json.dumps({"action": action, "name": name}).encode() + b"\n")
            with channel.makefile() as answers:
                answer: dict[str, Any] = json.loads(answers.readline())
        except (FileNotFoundError, ConnectionRefusedError):
            raise ControlRefused(f"no supervisor runs in {home}") from None
        except (OSError, ValueError) as error:  # Too busy, or it hung up.
            raise ControlRefused(f"no answer to {action} {name}: {error!r}") from error
        if answer["error"]:
            raise ControlRefused(answer["error"])
        yield answer


@contextlib.contextmanager
def control_address(home: Path) -> Iterator[str]:
    """The control socket by a short name: AF_UNIX allows 107 bytes, and homes may be longer."""
    folder = os.open(home, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{CONTROL_SOCKET}"
    finally:
        os.close(folder)


def end_leftovers(state: Mapping[str, Any]) -> list[str]:
    """Kill what a supervisor that is dead left behind; returns the names.

    The kernel ends them with their supervisor, so this finds something only within moments of a
    crash. PostgreSQL is asked (SIGQUIT: at once, recover at the next start): killed, it would
    leave its backends alone with their shared memory.
    """
    found = {
        name: process
        for name, recorded in state.get("processes", {}).items()
        if (process := same_process(recorded))
    }
    for name, process in found.items():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGQUIT if name == "postgres" else signal.SIGKILL)
    _, alive = psutil.wait_procs(list(found.values()), LEFTOVER_STOP_WITHIN_S)
    for process in alive:
        process.kill()
    return sorted(found)


def usage(pid: int, others: Iterable[int]) -> Usage:
    """CPU and memory of *pid* and its descendants, except *others* and theirs.

    Raises `psutil.NoSuchProcess` if it is gone.
    """
    cpu_s, pss_kb = 0.0, 0
    for process in _family(psutil.Process(pid), others):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            cpu_s += times.user + times.system + times.children_user + times.children_system
            pss_kb += _pss_kb(process.pid)
    return Usage(round(cpu_s, 2), round(pss_kb / 1024, 1))


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
