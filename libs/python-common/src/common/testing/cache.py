"""A real Valkey, which speaks Redis's protocol, for a test session; emptied after each test."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from harness.providers.valkey import temporary_socket

# What a shop gives up after a tenth of a second is waited for on the busiest machine.
REDIS_WITHIN_S = 20.0


@contextmanager
def valkey() -> Iterator[str]:
    """Its URL, on a unix socket: unit tests open no port."""
    with temporary_socket() as socket:
        yield f"unix://{socket}"


@contextmanager
def clean_valkey(url: str) -> Iterator[str]:
    """The same URL; afterwards nothing is kept any more."""
    yield url
    with redis.Redis.from_url(url) as client:
        client.flushall()
