"""Messages over HTTP: parse, open the transaction, call one use case, render."""

from datetime import UTC, datetime
from uuid import UUID

from common import auth, idempotency
from common.auth import Role
from common.bodies import answer, read_query
from common.db import Database
from common.idempotency import Answer
from flask import Blueprint, Response, request
from sqlalchemy import Connection

from notification.routes import bodies
from notification.use_cases import views as use_cases

PEOPLE = (Role.GUEST, Role.CUSTOMER, Role.STAFF)


def messages(db: Database) -> Blueprint:
    """What was sent, or will be, or was not: to its owner about an order, to staff about all."""
    bp = Blueprint("messages", __name__)

    @bp.get("/orders/<uuid:order_id>/messages")
    @auth.requires(*PEOPLE)
    def read_messages(order_id: UUID) -> Response:
        with db.transaction() as tx:
            found = use_cases.read_messages(tx, str(order_id), _owner())
        shown = list(map(bodies.message_json, found))
        return answer({"order_id": str(order_id), "messages": shown})

    @bp.get("/messages")
    @auth.requires(Role.STAFF)
    def list_messages() -> Response:
        asked = read_query(bodies.MessagesIn)
        before, limit = asked.place()
        with db.transaction() as tx:
            page = use_cases.list_messages(tx, asked.to_wanted(), before, limit)
        return answer(bodies.page_json(page, list(map(bodies.message_json, page.items))))

    @bp.get("/messages/<uuid:message_id>")
    @auth.requires(Role.STAFF)
    def read_message(message_id: UUID) -> Response:
        with db.transaction() as tx:
            found = use_cases.read_message(tx, str(message_id))
        return answer(bodies.full_message_json(found))

    @bp.post("/messages/<uuid:message_id>/resend")
    @auth.requires(Role.STAFF)
    def resend_message(message_id: UUID) -> Response:
        staff_id = auth.caller().id
        key = idempotency.read_key(request.headers.get("Idempotency-Key"))
        print_ = idempotency.fingerprint(f"POST {request.path}")

        def resend(tx: Connection) -> Answer:
            again = use_cases.resend(tx, str(message_id), datetime.now(UTC))
            return Answer.of(bodies.message_json(again), 202, f"/messages/{message_id}")

        with db.transaction() as tx:
            stored = idempotency.once(tx, staff_id, key, print_, resend)
        return stored.render()

    return bp


def _owner() -> str | None:
    """Whose messages the caller may see; None for everybody's."""
    caller = auth.caller()
    return None if caller.role is Role.STAFF else caller.id
