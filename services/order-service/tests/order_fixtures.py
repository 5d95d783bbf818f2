"""The order service's neighbours in its tests: a catalog over a dict, a shopper, the wire."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import orjson
from common.auth import Role
from common.testing import bearer
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, event

PRICES = {"MUG-1": ("Mug", 250), "LAMP-1": ("Lamp", 1999)}


class FakeCatalog:
    """The catalog's POST /quotes over a dict; `answers` overrides the next ones."""

    def __init__(self) -> None:
        self.prices = dict(PRICES)
        self.answers: list[Callable[[], httpx.Response]] = []
        self.asked = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.answers:
            return self.answers.pop(0)()
        skus = orjson.loads(request.content)["skus"]
        prices = [
            {"sku": sku, "name": self.prices[sku][0], "unit_price_minor": self.prices[sku][1]}
            for sku in skus
            if sku in self.prices
        ]
        unknown = [sku for sku in skus if sku not in self.prices]
        return httpx.Response(200, json={"currency": "USD", "prices": prices, "unknown": unknown})


class Ana:
    """A guest who orders mugs."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.headers = bearer(Role.GUEST, "ana")

    def place(self, key: str = "k-1", **changes: Any) -> Any:
        body = {
            "email": "ana@shoppers.example",
            "payment_method": "pm_ok",
            "lines": [{"sku": "MUG-1", "quantity": 2}],
        }
        headers = self.headers | {"Idempotency-Key": key}
        return self.client.post("/orders", json=body | changes, headers=headers)

    def read(self, order_id: str) -> Any:
        return self.client.get(f"/orders/{order_id}", headers=self.headers)

    def take_back(self, order_id: str, quantity: int, key: str = "r-1", **changes: Any) -> Any:
        body = {"lines": [{"sku": "MUG-1", "quantity": quantity}], "reason": "unwanted"}
        headers = self.headers | {"Idempotency-Key": key}
        url = f"/orders/{order_id}/returns"
        return self.client.post(url, json=body | changes, headers=headers)

    def returns(self, order_id: str) -> Any:
        return self.client.get(f"/orders/{order_id}/returns", headers=self.headers)

    def hand_in(self, order_id: str, return_id: str) -> Any:
        """Staff take the goods of a return in."""
        url = f"/orders/{order_id}/returns/{return_id}/receipt"
        return self.client.post(url, json={}, headers=bearer(Role.STAFF, "sam"))

    def cancel(self, order_id: str) -> Any:
        return self.client.post(f"/orders/{order_id}/cancellation", headers=self.headers)


@contextmanager
def wire() -> Iterator[list[str]]:
    """Every message psycopg2 sends meanwhile: statements, and BEGIN and COMMIT around them."""
    sent: list[str] = []

    def tell(what: str) -> Callable[[Connection], None]:
        def listener(connection: Connection) -> None:
            driver: Any = connection.connection.dbapi_connection
            if not driver.autocommit:
                sent.append(what)

        return listener

    listeners = {
        "begin": tell("BEGIN"),
        "commit": tell("COMMIT"),
        "before_cursor_execute": lambda *said: sent.append(said[2]),
    }
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    try:
        yield sent
    finally:
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)
