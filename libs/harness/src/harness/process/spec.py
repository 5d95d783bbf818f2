"""What a process is and when one that died comes back. Pure: starts and kills nothing."""

import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from harness.process.unprivileged import Account

# An exit or two is bad luck; this many in so short a time is a process that cannot live.
CRASH_LOOP_EXITS = 5
CRASH_LOOP_WINDOW_S = 10.0
# The first restart is immediate, so that one kill costs as little as it can.
RESTART_PAUSE_S_FIRST = 0.2
RESTART_PAUSE_S_MAX = 5.0
# A worker finishes its batch (handler budget 10 s) and a web process its requests (20 s).
STOP_WITHIN_S = 30.0


class ProcessState(StrEnum):
    STARTING = "starting"  # It runs, and does not answer yet.
    READY = "ready"  # It answers; or it runs, if it has nothing to answer with.
    RESTARTING = "restarting"  # It died, and comes back after a pause.
    STOPPED = "stopped"  # On purpose.
    FAILED = "failed"  # It died too often to be started again.


class Kind(StrEnum):
    EXEC = "exec"  # A program: argv[0] is its path.
    GUNICORN = "gunicorn"  # Forked from the fork server; argv is what follows `gunicorn`.
    MODULE = "module"  # Forked from the fork server; argv is what follows `python -m`.


# Given the pid, whether the process is ready. Asked again and again until it is.
Probe = Callable[[int], Awaitable[bool]]


@dataclass(frozen=True)
class ProcessSpec:
    """argv: see `Kind`. env: added to the supervisor's own, which is nearly empty.

    probe: None if the process is ready as soon as it runs.
    death_signal: sent by the kernel when the supervisor dies without saying so.
    layer: higher layers stand on lower ones, and are stopped before them.
    """

    name: str
    kind: Kind
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    probe: Probe | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    account: Account | None = None
    layer: int = 0


def restart_pause_s(exits: Sequence[float], now: float) -> float | None:
    """How long a process that just died stays down, in seconds; None if it stays down for good.

    exits: when it died unexpectedly, oldest first, the latest (at *now*) included.
    """
    recent = [at for at in exits if now - at <= CRASH_LOOP_WINDOW_S]
    if len(recent) >= CRASH_LOOP_EXITS:
        return None
    if len(recent) <= 1:
        return 0.0
    return min(RESTART_PAUSE_S_FIRST * 2.0 ** (len(recent) - 2), RESTART_PAUSE_S_MAX)
