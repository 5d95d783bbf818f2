"""WSGI entry: `gunicorn -c python:common.gunicorn_config 'inventory.app:create_app()'`."""

from pathlib import Path

import common.app
from common.db import Database
from flask import Flask

from inventory import routes
from inventory.domain import RESERVATION_TTL
from inventory.settings import Settings

CONTRACT = Path(__file__).parents[2] / "contract"


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or Settings()
    db = Database(settings.database_url.get_secret_value())
    blueprints = [
        routes.stock(db),
        routes.back_office(db),
        routes.reservations(db, RESERVATION_TTL / settings.saga_time_scale),
    ]
    checks = {"database": db.ping}
    return common.app.create_app("inventory", settings, blueprints, checks, contract=CONTRACT)
