"""Getting access tokens: by password, by refresh token, as a guest."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Protocol

import common.bodies
import structlog
from common import auth
from common.auth import ACCESS_TOKEN_LIFETIME, Caller, Role
from common.db import Database
from common.errors import Refusal
from common.ids import new_id
from common.metrics import meter
from flask import Blueprint, Response, request

from auth.domain import Credentials, InvalidRefreshToken
from auth.routes import bodies
from auth.routes.bodies import Issue
from auth.use_cases import accounts, sessions
from auth.use_cases.derived_secrets import DerivedSecrets
from auth.use_cases.passwords import Passwords
from auth.use_cases.sessions import Grant, Reused

log = structlog.get_logger()
logins = meter.create_counter("app.auth.logins", unit="{attempt}")
refreshes = meter.create_counter("app.auth.refreshes", unit="{attempt}")
guests = meter.create_counter("app.auth.guests", unit="{guest}")


class LoginLimits(Protocol):
    """See `auth.clients.Limits`."""

    def count_login(self, account: str, address: str) -> None: ...
    def remember_login(self, account: str, address: str) -> None: ...
    def count_guest(self, address: str) -> None: ...


def tokens(
    db: Database,
    issue: Issue,
    derived: DerivedSecrets,
    passwords: Passwords,
    limits: LoginLimits,
    tell_ended: Callable[[Iterable[str]], None],
) -> Blueprint:
    """tell_ended: takes the ids of sessions whose access tokens hold no longer."""
    blueprint = Blueprint("tokens", __name__)

    @blueprint.post("/login")
    @auth.public
    def log_in() -> Response:
        body = common.bodies.read(bodies.LoginIn)
        address, user_agent = request.remote_addr or "", request.user_agent.string
        try:
            limits.count_login(body.email, address)
            owner = _check_password(db, passwords, body)
            now = datetime.now(UTC)
            with db.transaction() as tx:
                grant = sessions.begin(tx, owner, user_agent, derived, now)
        except Refusal as refusal:
            logins.add(1, {"outcome": type(refusal).__name__})
            raise
        limits.remember_login(body.email, address)
        logins.add(1, {"outcome": "succeeded"})
        tell_ended(grant.crowded_out)
        return _answer(issue, grant, now)

    @blueprint.post("/token/refresh")
    @auth.public
    def refresh() -> Response:
        presented = common.bodies.read(bodies.RefreshIn).presented()
        now = datetime.now(UTC)
        with db.transaction() as tx:
            outcome = sessions.refresh(tx, presented, derived, now)
        if isinstance(outcome, Reused):  # Only now: the end of the session had to be committed.
            refreshes.add(1, {"outcome": "reused"})
            log.warning("refresh_token_reused", session_id=outcome.session_id)
            tell_ended([outcome.session_id])
            raise InvalidRefreshToken
        refreshes.add(1, {"outcome": "succeeded"})
        return _answer(issue, outcome, now)

    @blueprint.post("/guest-tokens")
    @auth.public
    def enter_as_guest() -> Response:
        if request.get_data():
            common.bodies.read(bodies.GuestTokenIn)
        limits.count_guest(request.remote_addr or "")
        guest = Caller(new_id(), Role.GUEST)
        guests.add(1)
        answer = bodies.access_token(issue, guest, ACCESS_TOKEN_LIFETIME)
        return bodies.secret(answer | {"customer_id": guest.id}, 201)

    return blueprint


def _check_password(db: Database, passwords: Passwords, body: bodies.LoginIn) -> Credentials:
    """Whose password it is; hashed anew where our parameters grew since.

    Raises WrongCredentials, HashingBusy.
    """
    password = body.password.get_secret_value()
    with db.transaction() as tx:
        known = accounts.find_credentials(tx, email=body.email)
    owner = passwords.check(known, password)
    stronger = passwords.renewed(owner, password)
    if stronger:
        with db.transaction() as tx:
            owner = accounts.rehash(tx, owner, stronger)
    return owner


def _answer(issue: Issue, grant: Grant, now: datetime) -> Response:
    return bodies.secret(bodies.session_tokens(issue, grant, ACCESS_TOKEN_LIFETIME, now))
