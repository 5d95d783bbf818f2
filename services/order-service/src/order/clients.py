"""The catalog over HTTP: prices for an order, with stated timeouts and few retries."""

from collections.abc import Sequence
from typing import Final

import httpx
from common.retries import NotNow, Retries
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from order.domain import CatalogUnavailable, Price

# On one network a connection takes a millisecond; the kernel repeats a lost SYN only after 1 s.
CONNECT_TIMEOUT_S: Final = 0.25
# A quote of 200 products takes 20 ms; a shopper who waits longer than this has left.
READ_TIMEOUT_S: Final = 2.0
CONNECTIONS: Final = 8  # as many as a web process has threads


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
        self._retries = Retries("catalog")
        self._http = client or httpx.Client(
            auth=identity,
            timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=CONNECTIONS),
        )

    def quote(self, skus: Sequence[str]) -> tuple[str, dict[str, Price]]:
        """Currency and prices; SKUs it does not know are left out. Raises CatalogUnavailable."""
        try:
            answer = self._ask(skus)
        except (NotNow, httpx.HTTPError, ValidationError) as error:
            raise CatalogUnavailable from error
        prices = {price.sku: Price(price.name, price.unit_price_minor) for price in answer.prices}
        return answer.currency, prices

    def _ask(self, skus: Sequence[str]) -> Quote:
        """A quote changes nothing, so it may be asked for twice."""
        asked = {"skus": list(skus)}
        response = self._retries.send(self._http, "POST", self._url, repeatable=True, json=asked)
        return Quote.model_validate_json(response.raise_for_status().content)
