"""The caller's own preferences over HTTP; nobody can name another's."""

from common import auth, etags
from common.auth import Role
from common.bodies import answer, read
from common.db import Database
from flask import Blueprint, Response, request

from notification.domain.preferences import Preferences
from notification.routes import bodies
from notification.use_cases import mail_choice


def preferences(db: Database) -> Blueprint:
    bp = Blueprint("preferences", __name__)

    @bp.get("/preferences")
    @auth.requires(Role.CUSTOMER)
    def read_preferences() -> Response:
        with db.transaction() as tx:
            found = mail_choice.read_preferences(tx, auth.caller().id)
        return _render(found)

    @bp.put("/preferences")
    @auth.requires(Role.CUSTOMER)
    def put_preferences() -> Response:
        request.max_content_length = bodies.BODY_BYTES_MAX
        expected = etags.required(request.headers.get("If-Match"))
        choice = read(bodies.PreferencesIn).to_choice()
        with db.transaction() as tx:
            chosen = mail_choice.choose(tx, auth.caller().id, choice, expected)
        return _render(chosen)

    return bp


def _render(found: Preferences) -> Response:
    return answer(bodies.preferences_json(found), headers={"ETag": etags.header(found.version)})
