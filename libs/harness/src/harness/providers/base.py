"""What every provider of infrastructure can do. Implements none of it."""

from collections.abc import Sequence
from typing import Protocol

from harness.process.endpoints import Endpoints


class Provider(Protocol):
    """`embedded` starts processes; others start containers, or are told where things run."""

    def start(self, names: Sequence[str] | None = None) -> Endpoints:
        """Infrastructure and the services in *names* (all, if None), ready for traffic.

        Raises `process.failure.StackDidNotStart`.
        """
        ...

    def stop(self) -> None:
        """Stops what this provider runs. Data stays."""
        ...

    def logs(self, name: str, lines: int = 50) -> list[str]:
        """The last *lines* that process *name* wrote."""
        ...
