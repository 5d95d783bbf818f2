"""HTTP in, HTTP out. Parses, opens the transaction, calls one use case, renders."""

from collections.abc import Callable, Mapping
from typing import Any

from common import auth, bodies
from common.auth import Caller, InvalidToken, Role
from common.db import Database
from flask import Blueprint, Response
from sqlalchemy import Connection

from cart import domain, use_cases
from cart.clients import CartCache, Pricing
from cart.domain import Cart, GuestTokenRefused, Line
from cart.routes.requests import (
    AdditionIn,
    CartIn,
    MergeIn,
    PricesIn,
    QuantityIn,
    read_body,
    read_shopper,
    read_sku,
    read_version,
)
from cart.routes.writes import Writing, cart_json, headers, render

shoppers_only = auth.requires(Role.GUEST, Role.CUSTOMER)


def cart(db: Database, cache: CartCache) -> Blueprint:
    """The caller's own cart; nobody can name another's. Every write answers the cart it left."""
    blueprint = Blueprint("cart", __name__)
    writing = Writing(db, cache)

    @blueprint.get("/cart")
    @shoppers_only
    def read_cart() -> Response:
        shopper = read_shopper()
        found = cache.get(shopper.id)
        if found is None:
            with db.transaction() as tx:
                found = use_cases.read_cart(tx, shopper.id)
            cache.offer(found)
        return render(found)

    @blueprint.put("/cart")
    @shoppers_only
    def replace_cart() -> Response:
        shopper, version = read_shopper(), read_version()
        lines = read_body(CartIn).to_lines()
        return writing.change(
            shopper.id, lambda tx: use_cases.replace_cart(tx, shopper, lines, version)
        )

    @blueprint.delete("/cart")
    @shoppers_only
    def empty_cart() -> Response:
        shopper, version = read_shopper(), read_version()
        return writing.change(shopper.id, lambda tx: use_cases.empty_cart(tx, shopper, version))

    return blueprint


def lines(db: Database, cache: CartCache) -> Blueprint:
    """One product of the caller's cart at a time."""
    blueprint = Blueprint("lines", __name__)
    writing = Writing(db, cache)

    @blueprint.put("/cart/lines/<sku>")
    @shoppers_only
    def put_line(sku: str) -> Response:
        shopper, version = read_shopper(), read_version()
        line = Line(read_sku(sku), read_body(QuantityIn).quantity)
        return writing.change(shopper.id, lambda tx: use_cases.put_line(tx, shopper, line, version))

    @blueprint.patch("/cart/lines/<sku>")
    @shoppers_only
    def add_to_line(sku: str) -> Response:
        shopper, version = read_shopper(), read_version()
        sku, quantity = read_sku(sku), read_body(AdditionIn).add

        def act(tx: Connection) -> tuple[Cart, Mapping[str, Any]]:
            left = use_cases.add(tx, shopper, sku, quantity, version)
            return left, cart_json(left)

        return writing.change_once([shopper.id], ["add", sku, quantity, version], act)

    @blueprint.delete("/cart/lines/<sku>")
    @shoppers_only
    def remove_line(sku: str) -> Response:
        shopper, version = read_shopper(), read_version()
        sku = read_sku(sku)
        return writing.change(
            shopper.id, lambda tx: use_cases.remove_line(tx, shopper, sku, version)
        )

    return blueprint


def merging(db: Database, cache: CartCache, verify: Callable[[str], Caller]) -> Blueprint:
    """A guest who signs in. verify: who a token speaks of; raises InvalidToken."""
    blueprint = Blueprint("merging", __name__)
    writing = Writing(db, cache)

    @blueprint.post("/cart/merge")
    @auth.requires(Role.CUSTOMER)
    def merge_carts() -> Response:
        shopper, version = read_shopper(), read_version()
        guest_id = _guest(verify, read_body(MergeIn).guest_token)

        def act(tx: Connection) -> tuple[Cart, Mapping[str, Any]]:
            done = use_cases.merge(tx, shopper, guest_id, version)
            return done.cart, {
                "cart": cart_json(done.cart),
                "merged": done.merged,
                "left_out": done.left_out,
            }

        return writing.change_once([shopper.id, guest_id], ["merge", guest_id, version], act)

    return blueprint


def quoting(db: Database, pricing: Pricing) -> Blueprint:
    """What the cart costs today, and whether that is what the shopper was shown before."""
    blueprint = Blueprint("quoting", __name__)

    @blueprint.get("/cart/quote")
    @shoppers_only
    def quote_cart() -> Response:
        shopper = read_shopper()
        with db.transaction() as tx:
            found, shown = use_cases.read_for_quote(tx, shopper.id)
        skus = [line.sku for line in found.lines]
        # Nobody is asked about nothing; and no connection is held while others are asked.
        prices, stock = pricing.ask(skus) if skus else (None, {})
        quoted = domain.quote(found, prices, stock, shown)
        if new := domain.first_shown(quoted):
            with db.transaction() as tx:
                use_cases.note_shown(tx, shopper.id, new)
        return bodies.answer(quoted, headers=headers(quoted.version))

    @blueprint.put("/cart/accepted-prices")
    @shoppers_only
    def accept_prices() -> Response:
        shopper, version = read_shopper(), read_version()
        prices = {each.sku: each.unit_price_minor for each in read_body(PricesIn).prices}
        with db.transaction() as tx:
            found = use_cases.accept_prices(tx, shopper.id, prices, version)
        return render(found)

    return blueprint


def _guest(verify: Callable[[str], Caller], token: str) -> str:
    """The guest's id. Raises GuestTokenRefused."""
    try:
        holder = verify(token)
    except InvalidToken as error:
        raise GuestTokenRefused("ask for it to be merged before the guest's token ends") from error
    if holder.role is not Role.GUEST:
        raise GuestTokenRefused("it is not a guest's")
    return holder.id
