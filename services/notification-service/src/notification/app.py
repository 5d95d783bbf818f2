"""WSGI entry: `gunicorn -c python:common.gunicorn_config 'notification.app:create_app()'`."""

import common.app
from common.db import Database
from flask import Flask

from notification import routes
from notification.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or Settings()
    db = Database(settings.database_url.get_secret_value())
    return common.app.create_app(
        "notification", settings, [routes.messages(db)], {"database": db.ping}
    )
