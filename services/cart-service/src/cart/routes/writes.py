"""How a cart is changed: its copy held, one transaction, the new copy put, the cart rendered."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from common import bodies, etags, idempotency
from common.db import Database
from common.idempotency import Answer
from flask import Response, request
from sqlalchemy import Connection

from cart.clients import CartCache
from cart.domain import Cart

KEY_HEADER = "Idempotency-Key"


class Writing:
    """The order of it is the point: see `CartCache` and ADR-0011."""

    def __init__(self, db: Database, cache: CartCache) -> None:
        self._db = db
        self._cache = cache

    def change(self, customer_id: str, act: Callable[[Connection], Cart]) -> Response:
        """Do *act* in a transaction and answer the cart that it leaves."""
        self._cache.hold([customer_id])
        with self._db.transaction() as tx:
            left = act(tx)
        self._cache.put(left)
        return render(left)

    def change_once(
        self,
        customer_ids: Sequence[str],
        asked: Sequence[object],
        act: Callable[[Connection], tuple[Cart, Mapping[str, Any]]],
    ) -> Response:
        """The same for what repeated would do more: once for each Idempotency-Key, if there is one.

        customer_ids: whose carts *act* may change, the caller's first. asked: all that tells this
        request from another. act: the caller's cart, and what to answer.
        Raises IdempotencyKeyMissing (for a malformed one), IdempotencyKeyReused, RequestInFlight.
        """
        header = request.headers.get(KEY_HEADER)
        key = None if header is None else idempotency.read_key(header)
        left: Cart | None = None

        def acted(tx: Connection) -> Answer:
            nonlocal left
            left, body = act(tx)
            return Answer.of(body, 200)

        print_ = idempotency.fingerprint(*asked)
        self._cache.hold(customer_ids)
        with self._db.transaction() as tx:
            answer = idempotency.once(tx, customer_ids[0], key, print_, acted)
        if left:  # What was answered before may be outdated, and is not put.
            self._cache.put(left)
        return _answer(orjson.loads(answer.body))


def render(cart: Cart) -> Response:
    return _answer(cart_json(cart))


def cart_json(cart: Cart) -> dict[str, Any]:
    return {"customer_id": cart.customer_id, "lines": cart.lines, "version": cart.version}


def _answer(body: Mapping[str, Any]) -> Response:
    """*body* with the ETag of the cart that it is, or that is in it."""
    version = body["cart"]["version"] if "cart" in body else body["version"]
    return bodies.answer(dict(body), headers=headers(version))


def headers(version: int) -> dict[str, str]:
    # It is one shopper's, and changes.
    return {"ETag": etags.header(version), "Cache-Control": "no-store"}
