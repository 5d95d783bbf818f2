"""HTTP in, HTTP out. Parses, opens the transaction, calls one use case, renders."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from common import auth, idempotency
from common.auth import Role
from common.db import Database
from common.idempotency import Answer
from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, EmailStr, Field, StringConstraints
from sqlalchemy import Connection

from order import domain, use_cases
from order.clients import Catalog
from order.domain import CardNumberRefused, Order, OrderView
from order.settings import Settings
from order.use_cases import Placement

# Real baskets have up to 161 lines.
LINES_MAX = 200
QUANTITY_MAX = 100
# 200 lines of the longest SKUs, generously indented.
BODY_BYTES_MAX = 64 * 1024
PAGE_SIZE, PAGE_SIZE_MAX = 20, 100


class LineIn(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sku: Annotated[str, StringConstraints(pattern=domain.SKU_PATTERN)]
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX)]


class PlaceOrderIn(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    email: EmailStr
    payment_method: Annotated[str, StringConstraints(pattern="^pm_[A-Za-z0-9_]{1,64}$")]
    lines: Annotated[list[LineIn], Field(min_length=1, max_length=LINES_MAX)]
    expected_total_minor: Annotated[int, Field(ge=0)] | None = None


class PageIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_SIZE_MAX)] = PAGE_SIZE


def orders(db: Database, settings: Settings, catalog: Catalog) -> Blueprint:
    bp = Blueprint("orders", __name__)

    @bp.post("/orders")
    @auth.requires(Role.GUEST, Role.CUSTOMER)
    def place_order() -> Response:
        request.max_content_length = BODY_BYTES_MAX
        customer_id = auth.caller().id
        key = idempotency.read_key(request.headers.get("Idempotency-Key"))
        body = _parse(request.get_data())
        print_ = idempotency.fingerprint("POST /orders", body.model_dump(mode="json"))
        with _reading(db) as connection:
            known = idempotency.find(connection, customer_id, key, print_)
        if known:
            return _render(known)
        placement = _price(body, customer_id, catalog, settings.saga_time_scale)
        with db.transaction() as tx:
            answer = idempotency.claim(tx, customer_id, key, print_)
            if answer is None:
                view = use_cases.place_order(tx, placement, datetime.now(UTC))
                shown = orjson.dumps(order_json(view)).decode()
                answer = Answer(202, f"/orders/{view.order.id}", shown)
                idempotency.store(tx, customer_id, key, answer)
        return _render(answer)

    @bp.get("/orders")
    @auth.requires(Role.GUEST, Role.CUSTOMER)
    def list_orders() -> Response:
        page = PageIn.model_validate(request.args.to_dict())
        before = str(page.cursor) if page.cursor else None
        with _reading(db) as connection:
            found, cursor = use_cases.list_orders(connection, auth.caller().id, before, page.limit)
        return _json({"items": [_summary(order) for order in found], "next_cursor": cursor})

    @bp.get("/orders/<uuid:order_id>")
    def read_order(order_id: UUID) -> Response:
        caller = auth.caller()
        owner = None if caller.role in {Role.STAFF, Role.SERVICE} else caller.id
        with _reading(db) as connection:
            view = use_cases.read_order(connection, str(order_id), owner)
        return _json(order_json(view))

    @bp.post("/orders/<uuid:order_id>/cancellation")
    @auth.requires(Role.GUEST, Role.CUSTOMER)
    def cancel_order(order_id: UUID) -> Response:
        with db.transaction() as tx:
            view = use_cases.cancel_order(tx, str(order_id), auth.caller().id, datetime.now(UTC))
        return _json(order_json(view), 202)

    return bp


@contextmanager
def _reading(db: Database) -> Iterator[Connection]:
    """For exactly one statement, which needs no transaction: one round trip instead of three.

    The driver's own switch: SQLAlchemy's isolation level "AUTOCOMMIT" costs a SET to undo.
    """
    with db.engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.autocommit = True
        try:
            yield connection
        finally:
            if not driver.closed:  # A lost connection takes no settings, and must not hide why.
                driver.autocommit = False


def _parse(data: bytes) -> PlaceOrderIn:
    """Raises CardNumberRefused before anything of the body could reach a log or a table."""
    if any(domain.holds_card_number(text) for text in _texts(data)):
        raise CardNumberRefused("send the payment provider's token instead")
    return PlaceOrderIn.model_validate_json(data)


def _texts(data: bytes) -> Iterator[str]:
    """The body as it came, and without its JSON escapes, which could hide digits."""
    yield data.decode(errors="replace")
    try:
        yield orjson.dumps(orjson.loads(data)).decode()
    except orjson.JSONDecodeError:
        return  # What is no JSON is refused as malformed, and was looked at as it came.


def _price(body: PlaceOrderIn, customer_id: str, catalog: Catalog, time_scale: float) -> Placement:
    """The one remote call, before any transaction. Raises CatalogUnavailable, UnknownSku, …"""
    quantities = domain.merged((line.sku, line.quantity) for line in body.lines)
    currency, prices = catalog.quote(list(quantities))
    lines = domain.priced(quantities, prices)
    domain.check_total(lines, body.expected_total_minor)
    return Placement(customer_id, body.email, currency, body.payment_method, lines, time_scale)


def order_json(view: OrderView) -> dict[str, Any]:
    return _summary(view.order) | {
        "lines": [
            {
                "sku": line.sku,
                "name": line.name,
                "quantity": line.quantity,
                "unit_price_minor": line.unit_price_minor,
            }
            for line in view.lines
        ],
        "history": [
            {
                "version": entry.version,
                "status": entry.status,
                "event": entry.event,
                "at": entry.at,
            }
            for entry in view.history
        ],
    }


def _summary(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "status": order.status,
        "cancel_reason": order.cancel_reason,
        "currency": order.currency,
        "total_minor": order.total_minor,
        "placed_at": order.placed_at,
        "updated_at": order.updated_at,
        "version": order.version,
        "settled": order.settled,
    }


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, content_type="application/json")


def _render(answer: Answer) -> Response:
    response = Response(answer.body, answer.status, content_type="application/json")
    if answer.location:
        response.headers["Location"] = answer.location
        response.autocorrect_location_header = False
    return response
