"""What has to be right before a simulator serves; says what to change when it is not.

Binds the ports and takes the book. Serves nothing.
"""

import fcntl
import ipaddress
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, TypeVar

LOCK_NAME = "lock"

# A predecessor that was just killed lets go of port and book within milliseconds.
PREDECESSOR_GRACE_S = 1.0
RETRY_EVERY_S = 0.05

# More callers than this at once are a test gone wild, not a shop.
BACKLOG = 128


class StartupRefused(Exception):
    """The message says what is wrong and which option or command mends it."""


def require_loopback(host: str, *, allow_remote: bool, danger: str) -> None:
    """Raises StartupRefused, naming *danger*, unless only this machine can reach `host`."""
    if not allow_remote and not _is_loopback(host):
        raise StartupRefused(
            f"refusing to listen on {host}: {danger}. "
            "Use --host 127.0.0.1, or --allow-remote if that is meant."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def hold_data_dir(data_dir: Path) -> TextIO:
    """The open lock file of `data_dir`: held, by children too, until the last of them is gone.

    Raises StartupRefused if it cannot be written or another process holds it.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / LOCK_NAME).open("a")
    except OSError as error:
        raise StartupRefused(
            f"cannot write to the data directory {data_dir}: {os.strerror(error.errno or 0)}. "
            "Give --data-dir a directory that this user may write to."
        ) from error
    try:
        _within_grace(lambda: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB))
    except OSError as error:
        lock.close()
        raise StartupRefused(
            f"another process keeps its book in {data_dir}. Stop it, or choose another --data-dir."
        ) from error
    return lock


def listen(host: str, port: int, *, option: str) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises StartupRefused naming `option`."""
    try:
        return _within_grace(lambda: _bind(host, port))
    except OSError as error:
        raise StartupRefused(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}. "
            f"Stop what listens there, or choose another port with {option} (0 takes a free one)."
        ) from error


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


T = TypeVar("T")


def _within_grace(attempt: Callable[[], T]) -> T:
    deadline = time.monotonic() + PREDECESSOR_GRACE_S
    while True:
        try:
            return attempt()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_EVERY_S)
