"""Messages over HTTP: parse, open the transaction, call one use case, render."""

from datetime import UTC, datetime
from uuid import UUID

import orjson
from common import auth, idempotency
from common.auth import Role
from common.bodies import answer, read_query
from common.db import Database
from common.idempotency import Answer
from flask import Blueprint, Response, request

from notification.routes import bodies
from notification.use_cases import reading as use_cases

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
        with db.transaction() as tx:
            stored = idempotency.claim(tx, staff_id, key, print_)
            if stored is None:
                again = use_cases.resend(tx, str(message_id), datetime.now(UTC))
                shown = orjson.dumps(bodies.message_json(again)).decode()
                stored = Answer(202, f"/messages/{message_id}", shown)
                idempotency.store(tx, staff_id, key, stored)
        return _render(stored)

    return bp


def _owner() -> str | None:
    """Whose messages the caller may see; None for everybody's."""
    caller = auth.caller()
    return None if caller.role is Role.STAFF else caller.id


def _render(stored: Answer) -> Response:
    response = Response(stored.body, stored.status, content_type="application/json")
    response.headers["Location"] = stored.location or ""
    response.autocorrect_location_header = False
    return response
