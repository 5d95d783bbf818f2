"""WSGI entry: gunicorn 'payment.app:create_app()'."""

from pathlib import Path

import common.app
from common.db import Database
from flask import Flask

from payment import routes
from payment.settings import Settings

CONTRACT = Path(__file__).parents[2] / "contract"


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or Settings()
    db = Database(settings.database_url.get_secret_value())
    blueprints = [routes.payments(db), routes.provider_webhooks(db, settings)]
    checks = {"database": db.ping}
    return common.app.create_app("payment", settings, blueprints, checks, contract=CONTRACT)
