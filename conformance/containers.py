"""One container for the length of a `with` block, on loopback. Knows no image and no protocol."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.providers.containers import ContainersUnavailable, find_engine

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

LOOPBACK = "127.0.0.1"
# So much of a log tells why a program did not start.
LOG_LINES = 40
# So much of an engine's complaint tells what it is about.
REASON_CHARS = 80


class Missing(Exception):
    """The target cannot be started on this machine; the message says what it lacks."""


@dataclass(frozen=True)
class Container:
    """One that runs, not necessarily ready yet."""

    wrapped: "DockerContainer"

    def address(self, port: int) -> str:
        """Where the container's *port* is reached from here, as ``127.0.0.1:32768``."""
        # Asked of the engine: testcontainers would give the bridge's address inside a container.
        engine = self.wrapped.get_docker_client()
        return f"{LOOPBACK}:{engine.port(self.wrapped.get_wrapped_container().id, port)}"

    def log(self) -> str:
        """The end of what it wrote."""
        text = "\n".join(part.decode(errors="replace") for part in self.wrapped.get_logs())
        return "\n".join(text.splitlines()[-LOG_LINES:])


@contextmanager
def running(
    image: str,
    ports: Sequence[int],
    *,
    environment: Mapping[str, str] | None = None,
    command: Sequence[str] = (),
) -> Iterator[Container]:
    """A container of *image*, its *ports* bound to free ones of loopback; removed afterwards.

    Raises `Missing` without an engine, or without the image and a registry to pull it from.
    """
    container = _described(image, environment or {}, command)
    for port in ports:
        # As docker-py writes a free port of loopback; `with_bind_ports` takes no address.
        container.ports[f"{port}/tcp"] = (LOOPBACK, None)
    try:
        container.start()
    except _refusals() as error:
        with suppress(*_refusals()):
            container.stop()  # It may be there all the same, e.g. where a port was taken.
        raise Missing(f"{image} does not start: {_short(error)}") from error
    try:
        yield Container(container)
    finally:
        container.stop()


def _described(image: str, environment: Mapping[str, str], command: Sequence[str]) -> Any:
    # Read on import. Its reaper is one more image to pull, and we remove what we started.
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    try:
        find_engine().close()  # Who asks without it leaves a socket open where none answers.
    except ContainersUnavailable as error:
        raise Missing(_short(error)) from error
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(image)
    container.with_envs(**environment)
    return container.with_command(list(command)) if command else container


def _refusals() -> tuple[type[Exception], ...]:
    from docker.errors import DockerException  # type: ignore[import-untyped]  # It ships no types.

    return (DockerException,)


def _short(error: Exception) -> str:
    """It is repeated for every test that is skipped."""
    return str(error)[:REASON_CHARS]
