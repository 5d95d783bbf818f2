import pytest
from auth.app import create_app
from auth.settings import Settings
from common.db import Database
from common.testing import JWT_SECRET, REDIS_WITHIN_S, fixtures
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

AUTH_SECRET = "another secret of thirty-two bytes or more"  # pragma: allowlist secret


database_url, db = fixtures.database("auth")
valkey_url, redis_url = fixtures.valkey()


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
    return create_app(settings, redis_timeout_s=REDIS_WITHIN_S)


@pytest.fixture
def client(app: Flask, db: Database, redis_url: str) -> FlaskClient:
    return app.test_client()
