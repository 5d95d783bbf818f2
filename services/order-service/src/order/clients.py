"""The catalog over HTTP: prices for an order."""

from collections.abc import Sequence
from typing import Final

import httpx
from common.neighbours import Neighbour, NoAnswer
from pydantic import BaseModel, ConfigDict, Field

from order.domain import CatalogUnavailable, Price

# A quote of 200 products takes 20 ms; a shopper who waits longer than this has left.
READ_TIMEOUT_S: Final = 2.0


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
        url = f"{base_url}/quotes"
        self._catalog = Neighbour("catalog", url, READ_TIMEOUT_S, identity, client)

    def quote(self, skus: Sequence[str]) -> tuple[str, dict[str, Price]]:
        """Currency and prices; SKUs it does not know are left out. Raises CatalogUnavailable."""
        try:
            answer = self._catalog.ask(skus, Quote)
        except NoAnswer as error:
            raise CatalogUnavailable from error
        prices = {price.sku: Price(price.name, price.unit_price_minor) for price in answer.prices}
        return answer.currency, prices
