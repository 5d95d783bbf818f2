"""The fixtures that start a server for tests, made by a `conftest.py`, which names its service::

    database_url, db = fixtures.database("cart")
    valkey_url, redis_url = fixtures.valkey()

No plugin: its one `database_url` of a session would be the same for all seven services, and it
would come along where nobody asked. Nothing starts before a test wants it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.db import Database
from common.testing import cache
from common.testing.database import clean_database, migrated_database

Fixture = Callable[..., Any]


def database(service: str, directory: Path | None = None) -> tuple[Fixture, Fixture]:
    """`database_url`, migrated once a session; `db`, the same, emptied after each test.

    directory: the folder that holds ``migrations/``, by default the service's own.
    """

    @pytest.fixture(scope="session")
    def database_url() -> Iterator[str]:
        with migrated_database(service, directory) as url:
            yield url

    @pytest.fixture
    def db(database_url: str) -> Iterator[Database]:
        with clean_database(database_url) as opened:
            yield opened

    return database_url, db


def valkey() -> tuple[Fixture, Fixture]:
    """`valkey_url`, one server a session; `redis_url`, the same, emptied after each test."""

    @pytest.fixture(scope="session")
    def valkey_url() -> Iterator[str]:
        with cache.valkey() as url:
            yield url

    @pytest.fixture
    def redis_url(valkey_url: str) -> Iterator[str]:
        with cache.clean_valkey(valkey_url) as url:
            yield url

    return valkey_url, redis_url
