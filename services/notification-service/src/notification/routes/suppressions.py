"""Suppressed addresses over HTTP, for staff."""

from uuid import UUID

from common import auth
from common.auth import Role
from common.bodies import answer, read_query
from common.db import Database
from flask import Blueprint, Response

from notification.routes import bodies
from notification.use_cases import views as use_cases


def suppressions(db: Database) -> Blueprint:
    bp = Blueprint("suppressions", __name__)

    @bp.get("/suppressions")
    @auth.requires(Role.STAFF)
    def list_suppressions() -> Response:
        asked = read_query(bodies.SuppressionsIn)
        before, limit = asked.place()
        with db.transaction() as tx:
            page = use_cases.list_suppressions(tx, asked.address, before, limit)
        return answer(bodies.page_json(page, list(map(bodies.suppression_json, page.items))))

    @bp.delete("/suppressions/<uuid:suppression_id>")
    @auth.requires(Role.STAFF)
    def lift_suppression(suppression_id: UUID) -> Response:
        with db.transaction() as tx:
            use_cases.lift_suppression(tx, str(suppression_id))
        return Response(status=204)

    return bp
