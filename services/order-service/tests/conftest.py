import httpx
import pytest
from common.db import Database
from common.testing import JWT_SECRET, fixtures
from flask import Flask
from flask.testing import FlaskClient
from order.app import create_app
from order.clients import Catalog
from order.settings import Settings
from order_fixtures import Ana, FakeCatalog

database_url, db = fixtures.database("order")


@pytest.fixture
def catalog() -> FakeCatalog:
    return FakeCatalog()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def app(db: Database, database_url: str, catalog: FakeCatalog) -> Flask:
    settings = Settings(
        database_url=database_url,  # type: ignore[arg-type]
        jwt_secret=JWT_SECRET,  # type: ignore[arg-type]
        catalog_url="http://catalog",
    )
    http = httpx.Client(transport=httpx.MockTransport(catalog))
    return create_app(settings, Catalog("http://catalog", client=http), db)


@pytest.fixture
def ana(client: FlaskClient) -> Ana:
    return Ana(client)
