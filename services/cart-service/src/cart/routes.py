"""HTTP in, HTTP out. Parses, opens the transaction, calls one use case, renders."""

import re
from collections.abc import Collection
from typing import Annotated

import orjson
from common import auth
from common.auth import Role
from common.db import Database
from flask import Blueprint, Response, request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from cart import use_cases
from cart.domain import LINES_MAX, QUANTITY_MAX, SKU_PATTERN, Cart, Line

# Ten digits count further than PostgreSQL's integer.
_VERSION = re.compile(r"[0-9]{1,10}")

Sku = Annotated[str, StringConstraints(pattern=f"^{SKU_PATTERN}$")]
Quantity = Annotated[int, Field(strict=True, ge=1, le=QUANTITY_MAX)]


class QuantityIn(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    quantity: Quantity


class LineIn(QuantityIn):
    sku: Sku


def _unique_by_sku(lines: list[LineIn]) -> list[LineIn]:
    if len({line.sku for line in lines}) != len(lines):
        raise ValueError("each SKU only once")
    return lines


class CartIn(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    lines: Annotated[list[LineIn], Field(max_length=LINES_MAX), AfterValidator(_unique_by_sku)]


class _Path(BaseModel):
    sku: Sku


shoppers_only = auth.requires(Role.GUEST, Role.CUSTOMER)


def cart(db: Database) -> Blueprint:
    """The caller's own cart; nobody can name another's. Every write answers the cart it left."""
    blueprint = Blueprint("cart", __name__)

    @blueprint.get("/cart")
    @shoppers_only
    def read_cart() -> Response:
        with db.transaction() as tx:
            found = use_cases.read_cart(tx, auth.caller().id)
        return _render(found)

    @blueprint.put("/cart")
    @shoppers_only
    def replace_cart() -> Response:
        body = CartIn.model_validate_json(request.get_data())
        lines = tuple(Line(line.sku, line.quantity) for line in body.lines)
        with db.transaction() as tx:
            left = use_cases.replace_cart(tx, auth.caller().id, lines, _versions())
        return _render(left)

    @blueprint.delete("/cart")
    @shoppers_only
    def empty_cart() -> Response:
        with db.transaction() as tx:
            left = use_cases.empty_cart(tx, auth.caller().id, _versions())
        return _render(left)

    @blueprint.put("/cart/lines/<sku>")
    @shoppers_only
    def put_line(sku: str) -> Response:
        body = QuantityIn.model_validate_json(request.get_data())
        line = Line(_Path(sku=sku).sku, body.quantity)
        with db.transaction() as tx:
            left = use_cases.put_line(tx, auth.caller().id, line, _versions())
        return _render(left)

    @blueprint.delete("/cart/lines/<sku>")
    @shoppers_only
    def remove_line(sku: str) -> Response:
        sku = _Path(sku=sku).sku
        with db.transaction() as tx:
            left = use_cases.remove_line(tx, auth.caller().id, sku, _versions())
        return _render(left)

    return blueprint


def _versions() -> Collection[int] | None:
    """The versions in If-Match (RFC 9110 §13.1.1), or None if any will do.

    A tag that we never gave matches nothing.
    """
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    return {int(tag) for tag in request.if_match if _VERSION.fullmatch(tag)}


def _render(cart: Cart) -> Response:
    body = {"customer_id": cart.customer_id, "lines": cart.lines, "version": cart.version}
    response = Response(orjson.dumps(body), content_type="application/json")
    response.set_etag(str(cart.version))
    response.headers["Cache-Control"] = "no-store"  # It is one shopper's, and changes.
    return response
