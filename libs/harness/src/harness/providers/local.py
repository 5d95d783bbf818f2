"""A stack that a supervisor of ours keeps: started, watched, stopped. Knows no infrastructure."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import psutil

from harness.process import control, remedies
from harness.process.endpoints import Endpoints
from harness.process.failure import EXIT_IN_USE, StackDidNotStart
from harness.process.home import Home
from harness.process.stack_config import Launch
from harness.topology import summary

POLL_S = 0.03
# How often a start chooses its ports: somebody may take one before its process binds it.
STARTS_MAX = 3
# Longer than the supervisor gives the stack, plus the time to stop it all again.
START_WITHIN_S = 180.0
# Every layer may take the 30 s that one process may take; usually it is two seconds in all.
STOP_WITHIN_S = 130.0


@dataclass
class LocalProvider:
    """A subclass names its plan, and says what the plan has to know.

    ephemeral_ports: take none of the usual ports, so that no other stack is in the way.

    python_path: folders in front of every process's `sys.path`.
    dies_with_us: end the stack when the thread that starts it ends.
    environment: settings of every service, over those the stack gives them.
    faults: put proxies between the shop and what it stands on, so that faults can be planted.
    """

    plan: ClassVar[str]

    home: Home
    repo_root: Path
    ephemeral_ports: bool = False
    python_path: Sequence[Path] = ()
    dies_with_us: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    faults: bool = False
    _launched: "subprocess.Popen[bytes] | None" = field(default=None, init=False, repr=False)

    def prepare(self) -> dict[str, Any]:
        """Look whether everything is there, before anything starts; returns the plan's options."""
        raise NotImplementedError

    def start(self, names: Sequence[str] | None = None) -> Endpoints:
        """Returns the endpoints of the stack that runs already, if one does.

        Raises `StackDidNotStart`, and what `prepare` raises.
        """
        state: dict[str, Any] = {}
        for state in self.states(names):  # noqa: B007  The last one is the result.
            pass
        return Endpoints.from_json(state["endpoints"])

    def states(self, names: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Like `start`, and yields the supervisor's state as it changes, until it is running."""
        supervisor, starts_left, awaited = None, STARTS_MAX, None
        if not self.home.is_locked():
            supervisor, starts_left = self._launch(names), starts_left - 1
        give_up_at = time.monotonic() + START_WITHIN_S
        while time.monotonic() < give_up_at:
            exit_code = supervisor.poll() if supervisor else None
            if exit_code == EXIT_IN_USE:
                supervisor = None  # Another `up` was quicker: wait for its stack.
                continue
            state = self._state_of(supervisor)
            if state:
                awaited = state["supervisor"]
                yield state
                if state["status"] == "running":
                    return
            if exit_code is not None:
                why = self._why(state)
                if not starts_left or not remedies.lost_its_port(why.log):
                    raise why
                supervisor, starts_left = self._launch(names), starts_left - 1
            elif supervisor is None and not self.home.is_locked():
                # Whoever was here has gone: it was being stopped, or could not start, and said why.
                left = self.home.read_state()
                if not starts_left or (left and left["failure"] and left["supervisor"] == awaited):
                    raise self._why(left)
                supervisor, starts_left = self._launch(names), starts_left - 1
            time.sleep(POLL_S)
        raise StackDidNotStart("supervisor", "is silent", self.logs("supervisor"), "Restart it.")

    def _launch(self, names: Sequence[str] | None) -> "subprocess.Popen[bytes]":
        self.home.create()
        summary.read(self.repo_root, self.home)  # A contradiction is told here and now.
        options = self.prepare()
        Launch(
            plan=self.plan,
            repo_root=str(self.repo_root),
            python_path=[str(folder) for folder in self.python_path],
            options={
                "services": list(names) if names else None,
                "ephemeral_ports": self.ephemeral_ports,
                "environment": dict(self.environment),
                "faults": self.faults,
            }
            | options,
        ).write(self.home)
        command = [
            sys.executable,
            "-m",
            "harness.process.supervisor",
            "--home",
            str(self.home.path),
        ]
        if self.dies_with_us:
            command += ["--die-with", str(os.getpid())]
        self.home.rotate_log("supervisor")
        with self.home.log_file("supervisor").open("ab") as log:
            self._launched = subprocess.Popen(  # noqa: S603  Our own program and arguments.
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self._launched

    def _state_of(self, supervisor: "subprocess.Popen[bytes] | None") -> dict[str, Any] | None:
        """None while the file is still that of a stack before."""
        state = self.home.read_state()
        if state is None:
            return None
        if supervisor:
            return state if state["supervisor"]["pid"] == supervisor.pid else None
        return state if control.same_process(state["supervisor"]) else None

    def _why(self, state: dict[str, Any] | None) -> StackDidNotStart:
        failure = state and state["failure"]
        if failure:
            return StackDidNotStart(**failure)
        log = self.logs("supervisor", 20)
        return StackDidNotStart(
            "supervisor", "ended", log, "Read its log: `cartwright logs supervisor`."
        )

    def stop(self) -> None:
        """Also one that has only begun to start, and has not said yet who it is.

        Raises `TimeoutError` if the supervisor is still there after a while.
        """
        told: set[int] = set()
        give_up_at = time.monotonic() + STOP_WITHIN_S
        # Ours is to be reaped, too: a zombie keeps its pid.
        while self.home.is_locked() or (self._launched and self._launched.poll() is None):
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"the supervisor (pid {told or '?'}) does not stop")
            state = self.home.read_state()
            supervisor = control.same_process(state["supervisor"]) if state else None
            if supervisor is None and self._launched and self._launched.poll() is None:
                supervisor = psutil.Process(self._launched.pid)
            if supervisor and supervisor.pid not in told:
                told.add(supervisor.pid)
                supervisor.send_signal(signal.SIGTERM)
            time.sleep(POLL_S)

    def logs(self, name: str, lines: int = 50) -> list[str]:
        return self.home.log_tail(name, lines)
