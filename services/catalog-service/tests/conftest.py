from collections.abc import Iterator

import pytest
from catalog.app import create_app
from catalog.settings import Settings
from common.auth import Role
from common.db import Database
from common.testing import JWT_SECRET, bearer, clean_database, migrated_database
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    with migrated_database("catalog") as url:
        yield url


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    with clean_database(database_url) as database:
        yield database


@pytest.fixture(scope="session")
def app(database_url: str) -> Flask:
    return create_app(
        Settings(database_url=SecretStr(database_url), jwt_secret=SecretStr(JWT_SECRET))
    )


@pytest.fixture
def client(app: Flask, db: Database) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def staff() -> dict[str, str]:
    return bearer(Role.STAFF, "sam")
