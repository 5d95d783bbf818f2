"""Returns over HTTP: parse, open the transaction, call one use case, render."""

from datetime import UTC, datetime
from uuid import UUID

from common import auth, idempotency
from common.auth import Role
from common.bodies import answer, read
from common.db import Database
from common.idempotency import Answer
from flask import Blueprint, Response, request
from sqlalchemy import Connection

from order import domain
from order.routes import bodies
from order.routes.orders import PEOPLE, SHOPPERS, owner
from order.settings import Settings
from order.use_cases import returns as use_cases


def returns(db: Database, settings: Settings) -> Blueprint:
    bp = Blueprint("returns", __name__)

    @bp.post("/orders/<uuid:order_id>/returns")
    @auth.requires(*SHOPPERS)
    def request_return(order_id: UUID) -> Response:
        request.max_content_length = bodies.BODY_BYTES_MAX
        customer_id = auth.caller().id
        key = idempotency.read_key(request.headers.get("Idempotency-Key"))
        body = read(bodies.ReturnIn)
        quantities = domain.merged((line.sku, line.quantity) for line in body.lines)
        print_ = idempotency.fingerprint(f"POST {request.path}", body.model_dump(mode="json"))

        def act(tx: Connection) -> Answer:
            now = datetime.now(UTC)
            one = use_cases.request_return(
                tx, str(order_id), customer_id, quantities, body.reason, now
            )
            return Answer.of(bodies.return_json(one), 201, f"/orders/{order_id}/returns")

        with db.transaction() as tx:
            stored = idempotency.once(tx, customer_id, key, print_, act)
        return stored.render()

    @bp.get("/orders/<uuid:order_id>/returns")
    @auth.requires(*PEOPLE)
    def list_returns(order_id: UUID) -> Response:
        with db.transaction() as tx:
            found = use_cases.list_returns(tx, str(order_id), owner())
        return answer({"items": list(map(bodies.return_json, found))})

    @bp.post("/orders/<uuid:order_id>/returns/<uuid:return_id>/receipt")
    @auth.requires(Role.STAFF)
    def receive_goods(order_id: UUID, return_id: UUID) -> Response:
        read(bodies.ReceiptIn)
        with db.transaction() as tx:
            one = use_cases.receive_goods(
                tx,
                str(order_id),
                str(return_id),
                datetime.now(UTC),
                time_scale=settings.saga_time_scale,
            )
        return answer(bodies.return_json(one))

    return bp
