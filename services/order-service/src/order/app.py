"""WSGI entry: gunicorn 'order.app:create_app()'."""

from pathlib import Path

import common.app
from common import auth
from common.db import Database
from flask import Flask

from order import routes
from order.clients import Catalog
from order.settings import Settings

CONTRACT = Path(__file__).parents[2] / "contract"


def create_app(
    settings: Settings | None = None, catalog: Catalog | None = None, db: Database | None = None
) -> Flask:
    """catalog, db: for tests, one over a transport of their own, and one that they close."""
    settings = settings or Settings()
    db = db or Database(settings.database_url.get_secret_value())
    catalog = catalog or Catalog(settings.catalog_url, auth.service_token(settings))
    blueprints = [
        routes.orders(db, settings, catalog),
        routes.events(db, routes.Streams()),
        routes.returns(db, settings),
    ]
    checks = {"database": db.ping}
    return common.app.create_app("order", settings, blueprints, checks, contract=CONTRACT)
