"""WSGI entry: `gunicorn -c python:common.gunicorn_config 'auth.app:create_app()'`."""

import common.app
from common.db import Database
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from auth import routes
from auth.clients import LoginLimit
from auth.settings import Settings
from auth.use_cases import Passwords


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or Settings()
    db = Database(settings.database_url.get_secret_value())
    secret = settings.jwt_secret.get_secret_value()
    passwords = Passwords()
    limit = LoginLimit(settings.redis_url)
    blueprints = [
        routes.customers(db, passwords),
        routes.tokens(db, secret, passwords, limit.count),
    ]
    app = common.app.create_app("auth", settings, blueprints, {"database": db.ping})
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0, x_host=0
        )
    return app
