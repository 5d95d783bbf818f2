"""Keeps a stack's processes alive, and stops them in order. Knows none of them by name.

A plan brings the stack up with `start`, `ready` and `job`; afterwards whatever dies is
restarted, counted and written down.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from harness.process import readiness, remedies
from harness.process.endpoints import Endpoints
from harness.process.failure import GivenUp, StackDidNotStart
from harness.process.home import Home
from harness.process.spawner import FORK_SERVER, Spawner
from harness.process.spec import (
    CRASH_LOOP_EXITS,
    STOP_WITHIN_S,
    ProcessSpec,
    ProcessState,
    restart_pause_s,
)
from harness.process.stack_config import Launch
from harness.process.state import Supervised, create_time, how_it_ended, now, signal_name

# Seven services, cold, on one busy core took 20 s; this long means that something hangs.
START_WITHIN_S = 120.0
FORK_SERVER_LAYER = 1


class Supervisor:
    """Use within one event loop. base_env: what every process sees. cwd: where it runs."""

    def __init__(self, home: Home, base_env: Mapping[str, str], cwd: Path) -> None:
        self.home = home
        self.notes: list[str] = []
        self.ports: dict[str, dict[str, int]] = {}
        self.stop_requested = asyncio.Event()
        self._processes: dict[str, Supervised] = {}
        self._jobs: dict[str, asyncio.Future[int]] = {}
        self._spawner = Spawner(
            base_env=base_env, cwd=cwd, log_file=home.log_file, on_exit=self._on_exit
        )
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._status = "starting"
        self._endpoints: Endpoints | None = None
        self._refusal: StackDidNotStart | None = None
        self._started = time.monotonic()
        self._started_at = now()
        self._start_s: float | None = None
        self._is_dirty = False

    # What a plan uses.

    async def start_fork_server(self) -> None:
        """Call first: its imports take longest. Everything forked is in a higher layer."""
        await self.start(self._spawner.fork_server_spec(FORK_SERVER_LAYER))
        await asyncio.sleep(0)  # It runs before we go on.

    async def start(self, *specs: ProcessSpec) -> None:
        """Start processes and keep them alive; `ready` waits for them."""
        for spec in specs:
            self.home.rotate_log(spec.name)
            process = self._processes[spec.name] = Supervised(spec)
            self._bring_up(process, pause_s=0)
        self.changed()

    async def ready(self, *names: str) -> None:
        for name in names:
            await self._processes[name].is_ready.wait()

    async def job(self, spec: ProcessSpec) -> None:
        """Run something once, to its end. Raises `StackDidNotStart` if it fails."""
        self.home.rotate_log(spec.name)
        ended = self._jobs[spec.name] = asyncio.get_running_loop().create_future()
        await self._spawner.start(spec)
        if await ended != 0:
            raise self._refused(spec.name, f"failed with exit code {ended.result()}")

    def spec(self, name: str) -> ProcessSpec:
        return self._processes[name].spec

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._processes.items()}

    # The life of the stack.

    async def run(self, bring_up: Callable[[], Coroutine[Any, Any, Endpoints]]) -> int:
        """Bring the stack up, keep it until asked to stop, stop it. Returns the exit code."""
        self.changed()
        bringing_up = asyncio.create_task(bring_up())
        stopping = asyncio.create_task(self.stop_requested.wait())
        try:
            async with asyncio.timeout(START_WITHIN_S):
                awaited: set[asyncio.Future[Any]] = {bringing_up, stopping, self._failure}
                await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            self._came_up(bringing_up)
        except StackDidNotStart as refusal:
            self._refusal = refusal
        except TimeoutError:
            late = next((p for p in self._processes.values() if not p.is_ready.is_set()), None)
            name = late.spec.name if late else "supervisor"
            self._refusal = self._refused(name, f"did not answer within {START_WITHIN_S:.0f} s")
        if not self._refusal:
            await stopping
        for task in (bringing_up, stopping):
            task.cancel()
        await self.stop_all()
        self._status = "failed" if self._refusal else "stopped"
        self._endpoints = None
        self.write_state()
        return 1 if self._refusal else 0

    def _came_up(self, bringing_up: "asyncio.Task[Endpoints]") -> None:
        if self._failure.done():
            self._failure.result()
        if bringing_up.done():
            self._endpoints = bringing_up.result()
            self._start_s = round(time.monotonic() - self._started, 2)
            self._status = "running"
            self.changed()

    async def stop_all(self) -> None:
        """Highest layer first; what does not end in time is killed."""
        self._status = "stopping"
        self.changed()
        layers = sorted({p.spec.layer for p in self._processes.values()}, reverse=True)
        for layer in layers:
            names = [n for n, p in self._processes.items() if p.spec.layer == layer]
            await asyncio.gather(*(self.stop(name) for name in names))

    # One process.

    async def stop(self, name: str) -> None:
        """Stop one process and leave it stopped. Raises `KeyError` if there is none."""
        process = self._processes[name]
        process.wanted = False
        if process.state in {ProcessState.STARTING, ProcessState.READY} and process.pid:
            _signal(process.pid, process.spec.stop_signal)
            # A stopped process (SIGSTOP) would never see the request.
            _signal(process.pid, signal.SIGCONT)
            try:
                async with asyncio.timeout(STOP_WITHIN_S):
                    await process.is_down.wait()
            except TimeoutError:
                self.notes.append(f"{name} did not stop within {STOP_WITHIN_S:.0f} s: killed")
                _signal(process.pid, signal.SIGKILL)
                await process.is_down.wait()
        if process.upbringing:
            process.upbringing.cancel()
        process.state = ProcessState.STOPPED
        self.changed()

    async def resume(self, name: str) -> None:
        """Start again what was stopped, or failed; wait until it is ready. Raises `GivenUp`."""
        process = self._processes[name]
        if process.state in {ProcessState.STOPPED, ProcessState.FAILED}:
            process.wanted, process.exits, process.state = True, [], ProcessState.RESTARTING
            self._bring_up(process, pause_s=0)
        if not await process.until_ready():
            raise GivenUp(f"{name} does not start: {self.home.log_file(name)}")

    def _bring_up(self, process: Supervised, pause_s: float) -> None:
        process.is_ready.clear()
        process.upbringing = asyncio.create_task(self._upbringing(process, pause_s))
        process.upbringing.add_done_callback(lambda task: self._notice_bug(process, task))

    async def _upbringing(self, process: Supervised, pause_s: float) -> None:
        if pause_s:
            await asyncio.sleep(pause_s)
        spec = process.spec
        process.is_down.clear()
        process.pid = 0
        if spec.name == FORK_SERVER:
            process.pid = self._spawner.start_fork_server()
        else:
            process.pid = await self._spawner.start(spec)
        process.create_time = create_time(process.pid)
        process.started_at = now()
        process.state = ProcessState.STARTING
        self.changed()
        if spec.probe:
            await readiness.until_ready(spec.probe, process.pid)
        process.state = ProcessState.READY
        process.is_ready.set()
        self.changed()

    def _notice_bug(self, process: Supervised, task: "asyncio.Task[None]") -> None:
        """A process that cannot even be made is a failed start; later it is written to the log."""
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        process.state = ProcessState.FAILED
        self.changed()
        if not self._failure.done() and self._status == "starting":
            self._failure.set_exception(error)
        else:
            raise error

    def _on_exit(self, name: str, pid: int, code: int) -> None:
        if name in self._jobs:
            ended = self._jobs.pop(name)
            if not ended.done():  # Nobody waits for it once the start has failed.
                ended.set_result(code)
            return
        process = self._processes[name]
        if pid != process.pid:
            return  # One we had given up before it was born.
        if process.upbringing:
            process.upbringing.cancel()
        process.is_ready.clear()
        process.is_down.set()
        if not process.wanted or self._status == "stopping":
            process.state = ProcessState.STOPPED
        elif self._status == "starting":
            process.state = ProcessState.FAILED
            if not self._failure.done():
                self._failure.set_exception(self._refused(name, how_it_ended(code)))
        else:
            self._record(name, pid, code)
            self._restart(process)
        self.changed()

    def _restart(self, process: Supervised) -> None:
        at = time.monotonic()
        process.exits = [*process.exits, at][-CRASH_LOOP_EXITS:]
        pause_s = restart_pause_s(process.exits, at)
        if pause_s is None:
            process.state = ProcessState.FAILED
            return
        process.state = ProcessState.RESTARTING
        process.restarts += 1
        self._bring_up(process, pause_s)

    def _record(self, name: str, pid: int, code: int) -> None:
        line = {
            "time": now(),
            "process": name,
            "pid": pid,
            "exit_code": code if code >= 0 else None,
            "signal": signal_name(-code) if code < 0 else None,
        }
        try:
            with self.home.restarts_file.open("a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:  # It comes back all the same, also where the disk is full.
            self.notes.append(f"the end of {name} could not be written down: {error}")

    def _refused(self, name: str, reason: str) -> StackDidNotStart:
        log = self.home.log_tail(name)
        return StackDidNotStart(name, reason, log, remedies.remedy(name, log))

    # What others read.

    def changed(self) -> None:
        """Write the state soon; a burst of changes is one write."""
        if not self._is_dirty:
            self._is_dirty = True
            asyncio.get_running_loop().call_soon(self.write_state)

    def write_state(self) -> None:
        self._is_dirty = False
        self.home.write_state(self.to_json())

    def to_json(self) -> dict[str, Any]:
        refusal = self._refusal
        endpoints = self._endpoints.to_json() if self._endpoints else None
        return {
            "status": self._status,
            "supervisor": {"pid": os.getpid(), "create_time": create_time(os.getpid())},
            "started_at": self._started_at,
            "start_s": self._start_s,
            "ports": self.ports,
            "jobs": list(self._jobs),
            "notes": self.notes,
            "endpoints": endpoints and endpoints | {"pids": self.pids()},
            "processes": {name: p.to_json() for name, p in self._processes.items()},
            "failure": refusal
            and {part: getattr(refusal, part) for part in ("process", "reason", "log", "fix")},
        }


Plan = Callable[[Supervisor, Launch], Coroutine[Any, Any, Endpoints]]


def _signal(pid: int, number: signal.Signals) -> None:
    """To a process that we, or the fork server, have not reaped yet: the pid is still its own."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # It ended by itself meanwhile, and the news of it is on its way.
