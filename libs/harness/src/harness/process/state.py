"""One process under supervision, and the words in which its life is told. Starts nothing."""

import asyncio
import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psutil

from harness.process.spec import ProcessSpec, ProcessState

LOOK_AGAIN_S = 0.02


@dataclass
class Supervised:
    spec: ProcessSpec
    pid: int = 0
    create_time: float = 0.0
    started_at: str = ""
    state: ProcessState = ProcessState.STARTING
    restarts: int = 0
    wanted: bool = True
    exits: list[float] = field(default_factory=list)
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    is_down: asyncio.Event = field(default_factory=asyncio.Event)
    upbringing: asyncio.Task[None] | None = None

    async def until_ready(self) -> bool:
        """False if it was given up: then nobody would ever say that it is ready."""
        while not self.is_ready.is_set() and self.state is not ProcessState.FAILED:
            await asyncio.sleep(LOOK_AGAIN_S)
        return self.is_ready.is_set()

    def to_json(self) -> dict[str, Any]:
        return {
            "pid": self.pid,
            "create_time": self.create_time,
            "started_at": self.started_at,
            "state": self.state,
            "restarts": self.restarts,
            "port": self.spec.port,
            "kind": self.spec.kind,
        }


def create_time(pid: int) -> float:
    """With the pid it names one process for good; 0 if that one is gone."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0


def how_it_ended(code: int) -> str:
    """code: as `os.waitstatus_to_exitcode` returns it, negative for a signal."""
    return f"was ended by {signal_name(-code)}" if code < 0 else f"exited with code {code}"


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # Real-time signals have numbers only.
        return f"signal {number}"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
