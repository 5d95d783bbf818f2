"""WSGI entry: `gunicorn -c python:common.gunicorn_config 'inventory.app:create_app()'`."""

import common.app
from common.db import Database
from flask import Flask

from inventory import routes
from inventory.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or Settings()
    db = Database(settings.database_url.get_secret_value())
    return common.app.create_app(
        "inventory", settings, [routes.stock(db), routes.reservations(db)], {"database": db.ping}
    )
