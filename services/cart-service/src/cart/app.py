"""WSGI entry: `gunicorn -c python:common.gunicorn_config 'cart.app:create_app()'`."""

from functools import partial
from pathlib import Path

import common.app
from common import auth
from common.db import Database
from flask import Flask

from cart import routes
from cart.clients import CartCache, Catalog, Inventory, Pricing
from cart.settings import Settings

CONTRACT = Path(__file__).parents[2] / "contract"


def create_app(
    settings: Settings | None = None,
    catalog: Catalog | None = None,
    inventory: Inventory | None = None,
    cache: CartCache | None = None,
) -> Flask:
    """For tests: catalog, inventory over a transport of their own, a cache that waits longer."""
    settings = settings or Settings()
    db = Database(settings.database_url.get_secret_value())
    identity = auth.service_token(settings)
    pricing = Pricing(
        catalog or Catalog(settings.catalog_url, identity),
        inventory or Inventory(settings.inventory_url, identity),
    )
    verify = partial(auth.verify_by, auth.trusts(settings))
    cache = cache or CartCache(settings.redis_url)
    blueprints = [
        routes.cart(db, cache),
        routes.lines(db, cache),
        routes.merging(db, cache, verify),
        routes.quoting(db, pricing),
    ]
    checks = {"database": db.ping}
    return common.app.create_app("cart", settings, blueprints, checks, contract=CONTRACT)
