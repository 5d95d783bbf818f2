from collections.abc import Iterator

import pytest
from common.db import Database
from common.testing import clean_database, migrated_database


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    with migrated_database("inventory") as url:
        yield url


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    with clean_database(database_url) as database:
        yield database
