"""WSGI entry: `gunicorn -c python:common.gunicorn_config 'catalog.app:create_app()'`."""

import common.app
from common.db import Database
from flask import Flask

from catalog import routes
from catalog.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or Settings()
    db = Database(settings.database_url.get_secret_value())
    blueprints = [routes.products(db), routes.listings(db)]
    return common.app.create_app("catalog", settings, blueprints, {"database": db.ping})
