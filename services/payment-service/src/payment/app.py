"""WSGI entry: gunicorn 'payment.app:create_app()'."""

import common.app
from common.db import Database
from flask import Flask

from payment import routes
from payment.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or Settings()
    db = Database(settings.database_url.get_secret_value())
    return common.app.create_app("payment", settings, [routes.payments(db)], {"database": db.ping})
