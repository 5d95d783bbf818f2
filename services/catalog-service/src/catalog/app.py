"""WSGI entry: `gunicorn -c python:common.gunicorn_config 'catalog.app:create_app()'`."""

from pathlib import Path

import common.app
from common.db import Database
from flask import Flask

from catalog import routes
from catalog.clients import ProductCache
from catalog.domain.imports import FILE_BYTES_MAX
from catalog.settings import Settings

CONTRACT = Path(__file__).parents[2] / "contract"


def create_app(settings: Settings | None = None, cache: ProductCache | None = None) -> Flask:
    """cache: for tests, one that waits for Redis for longer."""
    settings = settings or Settings()
    db = Database(settings.database_url.get_secret_value())
    cache = cache or ProductCache(settings.redis_url)
    blueprints = [
        routes.searching(db, cache),
        routes.products(db, cache),
        routes.listings(db, cache),
        routes.imports(db, cache),
    ]
    checks = {"database": db.ping}
    app = common.app.create_app("catalog", settings, blueprints, checks, contract=CONTRACT)
    app.config[common.app.BODY_BYTES_ACCEPTED] = FILE_BYTES_MAX
    return app
