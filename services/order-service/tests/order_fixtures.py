"""The order service's neighbours in its tests: a catalog over a dict, and a shopper."""

from collections.abc import Callable
from typing import Any

import httpx
import orjson
from common.auth import Role
from common.testing import bearer
from flask.testing import FlaskClient

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

    def cancel(self, order_id: str) -> Any:
        return self.client.post(f"/orders/{order_id}/cancellation", headers=self.headers)
