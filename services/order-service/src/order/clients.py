"""The catalog over HTTP: prices for an order, with stated timeouts and few retries."""

from collections.abc import Sequence

import httpx
from common import deadline
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from order.domain import CatalogUnavailable, Price

# On one network a connection takes a millisecond; the kernel repeats a lost SYN only after 1 s.
CONNECT_TIMEOUT_S = 0.25
# A quote of 200 products takes 20 ms; a shopper who waits longer than this has left.
READ_TIMEOUT_S = 2.0
ATTEMPTS_MAX = 3
# Full jitter: up to 50 ms at first, doubled.
RETRY_S = 0.05
RETRY_S_MAX = 0.5
# Gateways say these while an instance restarts.
RETRIABLE_STATUSES = frozenset({502, 503, 504})
# A quote changes nothing, so it may be repeated; but whoever was slow once is not asked again.
RETRIABLE_ERRORS = (httpx.ConnectTimeout, httpx.NetworkError, httpx.RemoteProtocolError)
CONNECTIONS = 8  # as many as a web process has threads


class _NotNow(Exception):
    """The catalog could not be reached, or asked for patience."""


class QuotedPrice(BaseModel):
    model_config = ConfigDict(frozen=True)

    sku: str
    name: str
    unit_price_minor: int = Field(gt=0)


class Quote(BaseModel):
    """The catalog's answer, as far as we read it; what it does not know is left out."""

    model_config = ConfigDict(frozen=True)

    currency: str = Field(pattern="^[A-Z]{3}$")
    prices: list[QuotedPrice]


class Catalog:
    """identity: how the service says who it is. client: for tests, one of their own."""

    def __init__(
        self,
        base_url: str,
        identity: httpx.Auth | None = None,
        client: httpx.Client | None = None,
    ) -> None:
        self._url = f"{base_url}/quotes"
        self._http = client or httpx.Client(
            auth=identity,
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
            answer: Quote = retrying(self._ask, skus)
        except (_NotNow, httpx.HTTPError, ValidationError) as error:
            raise CatalogUnavailable from error
        prices = {price.sku: Price(price.name, price.unit_price_minor) for price in answer.prices}
        return answer.currency, prices

    def _ask(self, skus: Sequence[str]) -> Quote:
        try:
            response = self._http.post(
                self._url, json={"skus": list(skus)}, headers=deadline.header()
            )
        except RETRIABLE_ERRORS as error:
            raise _NotNow from error
        if response.status_code in RETRIABLE_STATUSES:
            raise _NotNow
        return Quote.model_validate_json(response.raise_for_status().content)
