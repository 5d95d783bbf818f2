"""Orders over HTTP: parse, open the transaction, call one use case, render."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from common import auth, idempotency, paging
from common.auth import Role
from common.bodies import answer, read, read_query
from common.db import Database
from common.idempotency import Answer
from flask import Blueprint, Response, request
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from order import domain
from order.clients import Catalog
from order.domain import OrderLine, OrderView, Wanted
from order.routes import bodies
from order.routes.bodies import LineIn, PlaceOrderIn
from order.settings import Settings
from order.use_cases import orders as use_cases
from order.use_cases.orders import Placement
from order.use_cases.rates import Rates, check_rates

# The index that lets a customer's key place one order for ever (migration 0002).
KEY_TAKEN = "one_order_a_key"
SHOPPERS = (Role.GUEST, Role.CUSTOMER)
PEOPLE = (*SHOPPERS, Role.STAFF)


def orders(db: Database, settings: Settings, catalog: Catalog) -> Blueprint:
    bp = Blueprint("orders", __name__)
    allowed = Rates(settings.order_rate_per_minute, settings.orders_per_hour_per_recipient)

    @bp.post("/orders")
    @auth.requires(*SHOPPERS)
    def place_order() -> Response:
        customer_id = auth.caller().id
        key = idempotency.read_key(request.headers.get("Idempotency-Key"))
        body = bodies.read_order_in()
        print_ = idempotency.fingerprint("POST /orders", body.model_dump(mode="json"))
        with reading(db) as connection:
            known = idempotency.find(connection, customer_id, key, print_)
        if known:
            return known.render()
        placement = _price(body, customer_id, key, catalog, settings.saga_time_scale)
        return _place(db, placement, key, print_, allowed).render()

    @bp.post("/order-quotes")
    @auth.requires(*SHOPPERS)
    def quote_order() -> Response:
        request.max_content_length = bodies.BODY_BYTES_MAX
        currency, lines = _quoted(read(bodies.QuoteIn).lines, catalog)
        shown = [
            {
                "sku": line.sku,
                "name": line.name,
                "quantity": line.quantity,
                "unit_price_minor": line.unit_price_minor,
            }
            for line in lines
        ]
        totals = bodies.totals_json(domain.total(lines))
        return answer({"currency": currency, **totals, "lines": shown})

    @bp.get("/orders")
    @auth.requires(*PEOPLE)
    def list_orders() -> Response:
        asked = read_query(bodies.FilterIn)
        caller, limit = auth.caller(), paging.read_limit(asked.limit)
        before = paging.decode_id(asked.cursor) if asked.cursor is not None else None
        sees_all = caller.role is Role.STAFF
        wanted = Wanted(
            customer_id=asked.customer_id if sees_all else caller.id,
            status=asked.status,
            placed_after=asked.placed_after,
            placed_before=asked.placed_before,
        )
        with reading(db) as connection:
            found, last = use_cases.list_orders(connection, wanted, before, limit)
        cursor = paging.encode(last) if last else None
        return answer({"items": list(map(bodies.summary, found)), "next_cursor": cursor})

    @bp.get("/orders/<uuid:order_id>")
    @auth.requires(*PEOPLE)
    def read_order(order_id: UUID) -> Response:
        with reading(db) as connection:
            view = use_cases.read_order(connection, str(order_id), owner())
        return answer(bodies.order_json(view))

    @bp.post("/orders/<uuid:order_id>/cancellation")
    @auth.requires(*SHOPPERS)
    def cancel_order(order_id: UUID) -> Response:
        with db.transaction() as tx:
            view = use_cases.cancel_order(tx, str(order_id), auth.caller().id, datetime.now(UTC))
        return answer(bodies.order_json(view), 202)

    return bp


def _place(db: Database, placement: Placement, key: str, print_: str, allowed: Rates) -> Answer:
    """The stored answer; or, if its key is forgotten, the order that the key placed, as it is."""

    def place(tx: Connection) -> Answer:
        now = datetime.now(UTC)
        check_rates(tx, placement, allowed, now)
        return _shown(use_cases.place_order(tx, placement, now))

    try:
        with db.transaction() as tx:
            return idempotency.once(tx, placement.customer_id, key, print_, place)
    except IntegrityError as error:
        if _broken_rule(error) != KEY_TAKEN:
            raise
    with reading(db) as connection:
        return _shown(use_cases.placed_before(connection, placement.customer_id, key))


def _broken_rule(error: IntegrityError) -> str | None:
    """The name of the constraint or unique index, as PostgreSQL tells it."""
    diagnostics = getattr(error.orig, "diag", None)
    return getattr(diagnostics, "constraint_name", None)


def _shown(view: OrderView) -> Answer:
    return Answer.of(bodies.order_json(view), 202, f"/orders/{view.order.id}")


def owner() -> str | None:
    """Whose orders the caller may see; None for everybody's."""
    caller = auth.caller()
    return None if caller.role is Role.STAFF else caller.id


@contextmanager
def reading(db: Database) -> Iterator[Connection]:
    """For reading that needs no transaction: one round trip a statement instead of two more.

    Of several, each sees its own moment. The driver's own switch: SQLAlchemy's isolation level
    "AUTOCOMMIT" costs a SET to undo.
    """
    with db.engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.autocommit = True
        try:
            yield connection
        finally:
            if not driver.closed:  # A lost connection takes no settings, and must not hide why.
                driver.autocommit = False


def _price(
    body: PlaceOrderIn, customer_id: str, key: str, catalog: Catalog, time_scale: float
) -> Placement:
    """Raises CatalogUnavailable, UnknownSku, PriceChanged."""
    currency, lines = _quoted(body.lines, catalog)
    domain.check_total(lines, body.expected_total_minor)
    return Placement(customer_id, body.email, currency, body.payment_method, lines, key, time_scale)


def _quoted(lines: Sequence[LineIn], catalog: Catalog) -> tuple[str, tuple[OrderLine, ...]]:
    """The one remote call, before any transaction. Raises CatalogUnavailable, UnknownSku."""
    quantities = domain.merged((line.sku, line.quantity) for line in lines)
    currency, prices = catalog.quote(list(quantities))
    return currency, domain.priced(quantities, prices)
