"""HTTP in, HTTP out. Parses, opens the transaction, calls one use case, renders."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from common import auth, bodies, idempotency, paging
from common.auth import Role
from common.db import Database
from common.idempotency import Answer
from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState
from pydantic import BaseModel
from sqlalchemy import Connection

from inventory import use_cases
from inventory.domain import Change, Line
from inventory.routes.answers import audit_json, movement_json, page, reservation_json, stock_json
from inventory.routes.requests import (
    Adjustment,
    PageQuery,
    Receipt,
    SkuConverter,
    StockPageQuery,
    StockQuery,
)

# A receipt of 1,000 lines of the longest SKUs, generously indented.
BODY_BYTES_MAX = 256 * 1024
# An audit that finds more than this has one cause, and the first hundred show it.
DIFFERENCES_MAX = 100


def stock(db: Database) -> Blueprint:
    """What is on the shelf, for anybody."""
    blueprint = Blueprint("stock", __name__)

    @blueprint.record_once
    def add_converter(state: BlueprintSetupState) -> None:
        state.app.url_map.converters["sku"] = SkuConverter

    @blueprint.get("/stock/<sku:sku>")
    @auth.public
    def read_stock(sku: str) -> Response:
        with db.transaction() as tx:
            found = use_cases.read_stock(tx, sku)
        return bodies.answer(stock_json(found))

    @blueprint.post("/stock/queries")
    @auth.public
    def query_stock() -> Response:
        request.max_content_length = BODY_BYTES_MAX
        query = bodies.read(StockQuery)
        with db.transaction() as tx:
            found, unknown = use_cases.query_stock(tx, query.skus)
        return bodies.answer({"stock": [stock_json(each) for each in found], "unknown": unknown})

    return blueprint


def back_office(db: Database) -> Blueprint:
    """The shelf and its book, for those who run the shop."""
    blueprint = Blueprint("back_office", __name__)

    @blueprint.get("/stock")
    @auth.requires(Role.STAFF)
    def list_stock() -> Response:
        query = bodies.read_query(StockPageQuery)
        limit = paging.read_limit(query.limit)
        after = str(paging.decode(query.cursor, str)[0]) if query.cursor is not None else ""
        with db.transaction() as tx:
            found, last = use_cases.list_stock(tx, after, query.level, limit)
        return page([stock_json(each) for each in found], last)

    @blueprint.get("/stock/<sku>/movements")
    @auth.requires(Role.STAFF)
    def list_movements(sku: str) -> Response:
        query = bodies.read_query(PageQuery)
        limit = paging.read_limit(query.limit)
        before = int(paging.decode(query.cursor, int)[0]) if query.cursor is not None else None
        with db.transaction() as tx:
            found, last = use_cases.list_movements(tx, sku, before, limit)
        return page([movement_json(each) for each in found], last)

    @blueprint.get("/stock/audit")
    @auth.requires(Role.STAFF)
    def audit_stock() -> Response:
        with db.transaction() as tx:
            found = use_cases.audit_stock(tx, DIFFERENCES_MAX)
        return bodies.answer(audit_json(found))

    @blueprint.post("/stock/receipts")
    @auth.requires(Role.STAFF)
    def receive_stock() -> Response:
        request.max_content_length = BODY_BYTES_MAX
        receipt = bodies.read(Receipt)
        lines = [Line(line.sku, line.quantity) for line in receipt.lines]
        change = Change(receipt.reason, receipt.note, auth.caller().id)

        def receive(tx: Connection) -> object:
            left = use_cases.receive_stock(tx, lines, change)
            return {"stock": [stock_json(each) for each in left]}

        return _once(db, receipt, receive)

    @blueprint.post("/stock/adjustments")
    @auth.requires(Role.STAFF)
    def adjust_stock() -> Response:
        request.max_content_length = BODY_BYTES_MAX
        body = bodies.read(Adjustment)
        change = Change(body.reason, body.note, auth.caller().id)

        def adjust(tx: Connection) -> object:
            return stock_json(use_cases.adjust_stock(tx, body.sku, body.delta, change))

        return _once(db, body, adjust)

    return blueprint


def reservations(db: Database, ttl: timedelta) -> Blueprint:
    """What is promised to whom, for those who run the shop."""
    blueprint = Blueprint("reservations", __name__)

    @blueprint.get("/reservations/<uuid:order_id>")
    @auth.requires(Role.STAFF)
    def read_reservation(order_id: UUID) -> Response:
        with db.transaction() as tx:
            view = use_cases.read_reservation(tx, str(order_id), ttl)
        return bodies.answer(reservation_json(view))

    return blueprint


def _once(db: Database, body: BaseModel, act: Callable[[Connection], object]) -> Response:
    """201 with what *act* answers; by the same Idempotency-Key, if there is one, it acts once."""
    header = request.headers.get("Idempotency-Key")
    key = None if header is None else idempotency.read_key(header)
    subject = auth.caller().id
    print_ = idempotency.fingerprint(f"POST {request.path}", body.model_dump(mode="json"))
    with db.transaction() as tx:
        answer = idempotency.once(tx, subject, key, print_, lambda tx: Answer.of(act(tx), 201))
    return answer.render()
