"""WSGI entry: `gunicorn -c python:common.gunicorn_config 'auth.app:create_app()'`."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import common.app
from common import auth
from common.auth import Caller, Guard, RevokedSessions
from common.db import Database
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from auth import routes
from auth.clients import TIMEOUT_S, Limits
from auth.domain import Rotation, SigningKey
from auth.routes.bodies import Issue
from auth.routes.oauth import Published
from auth.settings import Settings
from auth.use_cases import signing_keys
from auth.use_cases.derived_secrets import DerivedSecrets
from auth.use_cases.passwords import Passwords
from auth.use_cases.signing_keys import Signer

CONTRACT = Path(__file__).parents[2] / "contract"


def create_app(settings: Settings | None = None, *, redis_timeout_s: float = TIMEOUT_S) -> Flask:
    """redis_timeout_s: longer only in tests."""
    settings = settings or Settings()
    db = Database(settings.database_url.get_secret_value())
    derived = DerivedSecrets(settings.derivation_secret)
    issue, published, guard = _tokens(settings, db, derived)
    revoked = RevokedSessions(settings.redis_url, timeout_s=redis_timeout_s)
    passwords, limits = Passwords(), Limits(settings, timeout_s=redis_timeout_s)
    blueprints = [
        routes.customers(db, passwords, limits.count_registration, limits.count_login, revoked.add),
        routes.tokens(db, issue, derived, passwords, limits, revoked.add),
        routes.sessions(db, revoked.add),
        routes.oauth(settings.client_digests, issue, published),
    ]
    app = common.app.create_app(
        "auth", settings, blueprints, {"database": db.ping}, contract=CONTRACT
    )
    auth.install(app, Guard(guard.verify, revoked.contains))
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0, x_host=0
        )
    return app


def _tokens(
    settings: Settings, db: Database, derived: DerivedSecrets
) -> tuple[Issue, Published, Guard]:
    """How tokens are issued, verified, and what is published to verify them by."""
    if settings.auth_mode == "hs256":
        secret = settings.jwt_secret.get_secret_value()
        return partial(_issue_shared, secret), _nothing, Guard(partial(auth.verify, secret))
    signer = Signer(
        partial(_load_keys, settings, db, derived),
        derived,
        issuer=settings.token_issuer,
        audience=settings.token_audience,
    )
    trusts = [
        auth.published_keys(
            signer.find, issuer=settings.token_issuer, audience=settings.token_audience
        )
    ]
    if settings.auth_mode == "cognito":
        trusts += auth.trusts(settings)
    return signer.issue, signer.published, Guard(partial(auth.verify_by, trusts))


def _issue_shared(secret: str, caller: Caller, lifetime: timedelta) -> str:
    return auth.issue(secret, caller, lifetime=lifetime)


def _nothing() -> dict[str, list[dict[str, str]]]:
    """A shared secret is not published."""
    return {"keys": []}


def _load_keys(settings: Settings, db: Database, derived: DerivedSecrets) -> Sequence[SigningKey]:
    rotation = Rotation(every=settings.signing_key_lifetime)
    with db.transaction() as tx:
        return signing_keys.ensure_key(
            tx, derived, settings.signing_algorithm, rotation, datetime.now(UTC)
        )
