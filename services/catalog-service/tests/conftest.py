import pytest
from catalog.app import create_app
from catalog.clients import ProductCache
from catalog.settings import Settings
from common.auth import Role
from common.db import Database
from common.testing import JWT_SECRET, REDIS_WITHIN_S, bearer, fixtures
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

database_url, db = fixtures.database("catalog")
valkey_url, redis_url = fixtures.valkey()


@pytest.fixture
def cache(redis_url: str) -> ProductCache:
    return ProductCache(redis_url, timeout_s=REDIS_WITHIN_S)


@pytest.fixture(scope="session")
def settings(database_url: str, valkey_url: str) -> Settings:
    return Settings(
        database_url=SecretStr(database_url),
        jwt_secret=SecretStr(JWT_SECRET),
        redis_url=valkey_url,
    )


@pytest.fixture(scope="session")
def app(settings: Settings) -> Flask:
    return create_app(settings, ProductCache(settings.redis_url, timeout_s=REDIS_WITHIN_S))


@pytest.fixture
def client(app: Flask, db: Database, redis_url: str) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def without_redis(settings: Settings, db: Database) -> FlaskClient:
    """The same service, with nobody behind REDIS_URL."""
    nowhere = settings.model_copy(update={"redis_url": "unix:///nowhere/socket"})
    return create_app(nowhere).test_client()


@pytest.fixture
def staff() -> dict[str, str]:
    return bearer(Role.STAFF, "sam")
