"""What every provider of infrastructure can do. Implements none of it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from harness.endpoints import Endpoints


class Capability(StrEnum):
    """What a test may ask of a stack; a scenario that needs more is skipped, and says so."""

    RUNS_SERVICES = "runs-services"  # Web and worker processes, not only infrastructure.
    SIGNALS = "signals"  # Any process can be killed, stopped and continued.
    RESTARTS = "restarts"  # What dies comes back by itself, and is counted.
    LOGS = "logs"


class CannotStart(RuntimeError):
    """There is no shop to work with; the message says why, and what to do about it.

    log: the last lines of the process that is to blame, if one is.
    """

    log: Sequence[str] = ()


class StackDidNotStart(CannotStart):
    """A process died or stayed silent during the start; everything was stopped again.

    process: which one. log: its last lines. fix: what to do about it, in a sentence.
    """

    def __init__(self, process: str, reason: str, log: Sequence[str], fix: str) -> None:
        super().__init__(f"{process} {reason}, so everything was stopped again. {fix}")
        self.process = process
        self.reason = reason
        self.log = list(log)
        self.fix = fix


class Provider(Protocol):
    """`embedded` starts processes; others start containers, or are told where things run."""

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    def start(self, names: Sequence[str] | None = None) -> Endpoints:
        """Infrastructure and the services in *names* (all, if None), ready for traffic.

        Raises `StackDidNotStart`.
        """
        ...

    def stop(self) -> None:
        """Stops what this provider runs. Data stays."""
        ...

    def logs(self, name: str, lines: int = 50) -> list[str]:
        """The last *lines* that process *name* wrote."""
        ...
