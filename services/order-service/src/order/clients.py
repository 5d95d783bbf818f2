"""The catalog over HTTP: prices for an order, with stated timeouts and few retries."""

from collections.abc import Sequence
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from order.domain import CatalogUnavailable, Price

CONNECT_TIMEOUT_S = 0.25
READ_TIMEOUT_S = 2.0
ATTEMPTS_MAX = 3
# Full jitter: 50 ms at first, doubled.
RETRY_S = 0.05
RETRY_S_MAX = 0.5
RETRIABLE = frozenset({502, 503, 504})
CONNECTIONS = 8  # as many as a web process has threads


class _NotNow(Exception):
    """The catalog did not answer, or asked for patience."""


class Catalog:
    """client: for tests, one over a transport of their own."""

    def __init__(self, base_url: str, client: httpx.Client | None = None) -> None:
        self._url = f"{base_url}/quotes"
        self._http = client or httpx.Client(
            timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=CONNECTIONS),
        )

    def quote(self, skus: Sequence[str]) -> tuple[str, dict[str, Price]]:
        """Currency and prices; SKUs it does not know are left out. Raises CatalogUnavailable."""
        retrying = Retrying(
            retry=retry_if_exception_type(_NotNow),
            stop=stop_after_attempt(ATTEMPTS_MAX),
            wait=wait_random_exponential(RETRY_S, RETRY_S_MAX),
            reraise=True,
        )
        try:
            answer = retrying(self._ask, skus)
        except _NotNow as error:
            raise CatalogUnavailable from error
        prices = {
            price["sku"]: Price(price["name"], price["unit_price_minor"])
            for price in answer["prices"]
        }
        return answer["currency"], prices

    def _ask(self, skus: Sequence[str]) -> dict[str, Any]:
        try:
            response = self._http.post(self._url, json={"skus": list(skus)})
        except httpx.TransportError as error:
            raise _NotNow from error
        if response.status_code in RETRIABLE:
            raise _NotNow
        answer: dict[str, Any] = response.raise_for_status().json()
        return answer
