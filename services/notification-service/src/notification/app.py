"""WSGI entry: `gunicorn -c python:common.gunicorn_config 'notification.app:create_app()'`."""

from pathlib import Path

import common.app
from common.db import Database
from flask import Flask

from notification import routes
from notification.settings import Settings

CONTRACT = Path(__file__).parents[2] / "contract"


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or Settings()
    db = Database(settings.database_url.get_secret_value())
    blueprints = [routes.messages(db), routes.suppressions(db), routes.preferences(db)]
    checks = {"database": db.ping}
    return common.app.create_app("notification", settings, blueprints, checks, contract=CONTRACT)
