"""WSGI entry: gunicorn 'order.app:create_app()'."""

import common.app
from common.db import Database
from flask import Flask

from order import routes
from order.clients import Catalog
from order.settings import Settings


def create_app(settings: Settings | None = None, catalog: Catalog | None = None) -> Flask:
    """catalog: for tests, one over a transport of their own."""
    settings = settings or Settings()
    db = Database(settings.database_url.get_secret_value())
    catalog = catalog or Catalog(settings.catalog_url)
    blueprints = [routes.orders(db, settings, catalog)]
    return common.app.create_app("order", settings, blueprints, {"database": db.ping})
