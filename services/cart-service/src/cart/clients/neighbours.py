"""The catalog and the inventory over HTTP, with stated timeouts and few retries."""

from collections.abc import Sequence
from typing import Final, TypeVar

import httpx
from common.auth import ServiceTokenUnavailable
from common.retries import NotNow, Retries
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cart.domain import CatalogUnavailable, Price, Prices

# On one network a connection takes a millisecond; the kernel repeats a lost SYN only after 1 s.
CONNECT_TIMEOUT_S: Final = 0.25
# A quote of 200 products takes 20 ms; a shopper who waits longer than this has left.
CATALOG_READ_TIMEOUT_S: Final = 2.0
# The quote is of use without stock, so nobody waits long for it.
INVENTORY_READ_TIMEOUT_S: Final = 0.75
CONNECTIONS: Final = 8  # as many as a web process has threads


class StockUnknown(Exception):
    """The inventory did not answer, or not in the form it promises."""


class QuotedPrice(BaseModel):
    model_config = ConfigDict(frozen=True)

    sku: str
    name: str
    unit_price_minor: int = Field(gt=0)


class PricesAnswer(BaseModel):
    """The catalog's answer, as far as we read it; what it does not sell is left out."""

    model_config = ConfigDict(frozen=True)

    currency: str = Field(pattern="^[A-Z]{3}$")
    prices: list[QuotedPrice]


class StockLevel(BaseModel):
    model_config = ConfigDict(frozen=True)

    sku: str
    available: int = Field(ge=0)


class StockAnswer(BaseModel):
    """The inventory's answer, as far as we read it; what it does not know is left out."""

    model_config = ConfigDict(frozen=True)

    stock: list[StockLevel]


Answer = TypeVar("Answer", bound=BaseModel)


class _Neighbour:
    """One POST that only reads, so that it may be sent again. name: the neighbour's, in figures."""

    def __init__(self, name: str, url: str, http: httpx.Client) -> None:
        self._url = url
        self._http = http
        self._retries = Retries(name)

    def ask(self, skus: Sequence[str], answer: type[Answer]) -> Answer:
        """Raises NotNow, httpx.HTTPError, ValidationError, ServiceTokenUnavailable."""
        asked = {"skus": list(skus)}
        response = self._retries.send(self._http, "POST", self._url, repeatable=True, json=asked)
        return answer.model_validate_json(response.raise_for_status().content)


_FAULTS: Final = (NotNow, httpx.HTTPError, ValidationError, ServiceTokenUnavailable)


class Catalog:
    """client: for tests, one over a transport of their own. auth: this service's own token."""

    def __init__(
        self, base_url: str, auth: httpx.Auth | None = None, client: httpx.Client | None = None
    ) -> None:
        http = client or _client(CATALOG_READ_TIMEOUT_S, auth)
        self._neighbour = _Neighbour("catalog", f"{base_url}/quotes", http)

    def quote(self, skus: Sequence[str]) -> Prices:
        """skus: 1-200, unique. Raises CatalogUnavailable."""
        try:
            answer = self._neighbour.ask(skus, PricesAnswer)
        except _FAULTS as error:
            raise CatalogUnavailable from error
        by_sku = {each.sku: Price(each.name, each.unit_price_minor) for each in answer.prices}
        return Prices(answer.currency, by_sku)


class Inventory:
    """client: for tests, one over a transport of their own. auth: this service's own token."""

    def __init__(
        self, base_url: str, auth: httpx.Auth | None = None, client: httpx.Client | None = None
    ) -> None:
        http = client or _client(INVENTORY_READ_TIMEOUT_S, auth)
        self._neighbour = _Neighbour("inventory", f"{base_url}/stock/queries", http)

    def available(self, skus: Sequence[str]) -> dict[str, int]:
        """How many of each SKU could be sold. skus: 1-200, unique. Raises StockUnknown."""
        try:
            answer = self._neighbour.ask(skus, StockAnswer)
        except _FAULTS as error:
            raise StockUnknown from error
        return {each.sku: each.available for each in answer.stock}


def _client(read_timeout_s: float, auth: httpx.Auth | None) -> httpx.Client:
    return httpx.Client(
        auth=auth,
        timeout=httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S),
        limits=httpx.Limits(max_connections=CONNECTIONS),
        follow_redirects=False,
    )
