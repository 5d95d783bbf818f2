"""Who may be in the shop now: many at once, or one alone. Works between processes.

Whoever wants to be alone shuts the gate first, so that those inside leave and nobody follows:
without it they would wait until no scenario happens to run. The kernel opens both for a process
that dies.
"""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Turns:
    """folder: shared by the processes that take turns; it must exist."""

    folder: Path

    @contextmanager
    def together(self) -> Iterator[None]:
        """Be in the shop with others."""
        with ExitStack() as inside:
            with self._held("gate", fcntl.LOCK_EX):
                inside.enter_context(self._held("room", fcntl.LOCK_SH))
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until everybody left, and let nobody in."""
        with self._held("gate", fcntl.LOCK_EX), self._held("room", fcntl.LOCK_EX):
            yield

    @contextmanager
    def _held(self, name: str, operation: int) -> Iterator[None]:
        with (self.folder / name).open("a") as file:
            fcntl.flock(file, operation)
            yield
