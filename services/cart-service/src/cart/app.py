"""WSGI entry: `gunicorn -c python:common.gunicorn_config 'cart.app:create_app()'`."""

import common.app
from common.db import Database
from flask import Flask

from cart import routes
from cart.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or Settings()
    db = Database(settings.database_url.get_secret_value())
    return common.app.create_app("cart", settings, [routes.cart(db)], {"database": db.ping})
