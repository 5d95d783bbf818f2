from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from cart.app import create_app
from cart.clients import CartCache, Catalog, Inventory
from cart.settings import Settings
from common.auth import Role
from common.db import Database
from common.testing import JWT_SECRET, REDIS_WITHIN_S, bearer, fixtures
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr


class Shelf:
    """The catalog's POST /quotes and the inventory's POST /stock/queries over two dicts.

    catalog_answers and inventory_answers override the next ones.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.prices = {"MUG-1": ("Mug", 250), "JAR-1": ("Jar", 499)}
        self.stock = {"MUG-1": 10, "JAR-1": 10}
        self.catalog_answers: list[Callable[[httpx.Request], httpx.Response]] = []
        self.inventory_answers: list[Callable[[httpx.Request], httpx.Response]] = []
        self.asked: list[str] = []
        self.tokens: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        self.tokens.append(request.headers.get("Authorization", ""))
        in_catalog = request.url.path == "/quotes"
        answers = self.catalog_answers if in_catalog else self.inventory_answers
        if answers:
            return answers.pop(0)(request)
        skus: list[str] = orjson.loads(request.content)["skus"]
        return httpx.Response(200, json=self._quote(skus) if in_catalog else self._stock(skus))

    def _quote(self, skus: list[str]) -> dict[str, Any]:
        prices = [
            {"sku": sku, "name": self.prices[sku][0], "unit_price_minor": self.prices[sku][1]}
            for sku in skus
            if sku in self.prices
        ]
        unknown = [sku for sku in skus if sku not in self.prices]
        return {"currency": "USD", "prices": prices, "unknown": unknown}

    def _stock(self, skus: list[str]) -> dict[str, Any]:
        stock = [
            {"sku": sku, "on_hand": self.stock[sku], "reserved": 0, "available": self.stock[sku]}
            for sku in skus
            if sku in self.stock
        ]
        return {"stock": stock, "unknown": [sku for sku in skus if sku not in self.stock]}


database_url, db = fixtures.database("cart")
valkey_url, redis_url = fixtures.valkey()


@pytest.fixture
def cache(redis_url: str) -> CartCache:
    return CartCache(redis_url, timeout_s=REDIS_WITHIN_S)


@pytest.fixture(scope="session")
def settings(database_url: str, valkey_url: str) -> Settings:
    return Settings(
        database_url=SecretStr(database_url),
        jwt_secret=SecretStr(JWT_SECRET),
        redis_url=valkey_url,
        catalog_url="http://catalog",
        inventory_url="http://inventory",
        service_client_id="cart",
    )


@pytest.fixture(scope="session")
def everything() -> Shelf:
    return Shelf()


@pytest.fixture
def shelf(everything: Shelf) -> Shelf:
    """As it was at first."""
    everything.reset()
    return everything


@pytest.fixture(scope="session")
def app(settings: Settings, everything: Shelf) -> Flask:
    return make_app(settings, everything)


def make_app(settings: Settings, shelf: Shelf) -> Flask:
    client = httpx.Client(transport=httpx.MockTransport(shelf))
    catalog = Catalog(settings.catalog_url, client=client)
    inventory = Inventory(settings.inventory_url, client=client)
    cache = CartCache(settings.redis_url, timeout_s=REDIS_WITHIN_S)
    return create_app(settings, catalog, inventory, cache)


@pytest.fixture
def client(app: Flask, db: Database, redis_url: str, shelf: Shelf) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def without_redis(settings: Settings, db: Database, shelf: Shelf) -> FlaskClient:
    """The same service, with nobody behind REDIS_URL."""
    nowhere = settings.model_copy(update={"redis_url": "unix:///nowhere/socket"})
    return make_app(nowhere, shelf).test_client()


@pytest.fixture
def ana() -> dict[str, str]:
    return bearer(Role.CUSTOMER, "ana")


@pytest.fixture
def guest() -> dict[str, str]:
    return bearer(Role.GUEST, "guest-1")
