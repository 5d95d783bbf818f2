"""Where a customer is logged in, and the end of it."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from common import auth
from common.auth import Role
from common.db import Database
from flask import Blueprint, Response

from auth.routes import bodies
from auth.use_cases import sessions as use_cases


def sessions(db: Database, tell_ended: Callable[[Iterable[str]], None]) -> Blueprint:
    """tell_ended: takes the ids of sessions whose access tokens hold no longer."""
    blueprint = Blueprint("sessions", __name__)

    @blueprint.get("/sessions")
    @auth.requires(Role.CUSTOMER, Role.STAFF)
    def list_sessions() -> Response:
        caller = auth.caller()
        with db.transaction() as tx:
            live = use_cases.list_live(tx, caller, datetime.now(UTC))
        return bodies.secret({"sessions": [bodies.session(seen, caller) for seen in live]})

    @blueprint.delete("/sessions/<session_id>")
    @auth.requires(Role.CUSTOMER, Role.STAFF)
    def end_session(session_id: str) -> Response:
        with db.transaction() as tx:
            ended = use_cases.end_own(tx, auth.caller(), session_id, datetime.now(UTC))
        tell_ended(ended)
        return Response(status=204)

    @blueprint.post("/logout")
    @auth.requires(Role.CUSTOMER, Role.STAFF)
    def log_out() -> Response:
        with db.transaction() as tx:
            ended = use_cases.log_out(tx, auth.caller(), datetime.now(UTC))
        tell_ended(ended)
        return Response(status=204)

    return blueprint
