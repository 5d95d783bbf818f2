"""The catalog and the inventory over HTTP."""

from collections.abc import Sequence
from typing import Final

import httpx
from common.neighbours import Neighbour, NoAnswer
from pydantic import BaseModel, ConfigDict, Field

from cart.domain import CatalogUnavailable, Price, Prices

# A quote of 200 products takes 20 ms; a shopper who waits longer than this has left.
CATALOG_READ_TIMEOUT_S: Final = 2.0
# The quote is of use without stock, so nobody waits long for it.
INVENTORY_READ_TIMEOUT_S: Final = 0.75


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


class Catalog:
    """client: for tests, one over a transport of their own. auth: this service's own token."""

    def __init__(
        self, base_url: str, auth: httpx.Auth | None = None, client: httpx.Client | None = None
    ) -> None:
        url = f"{base_url}/quotes"
        self._neighbour = Neighbour("catalog", url, CATALOG_READ_TIMEOUT_S, auth, client)

    def quote(self, skus: Sequence[str]) -> Prices:
        """skus: 1-200, unique. Raises CatalogUnavailable."""
        try:
            answer = self._neighbour.ask(skus, PricesAnswer)
        except NoAnswer as error:
            raise CatalogUnavailable from error
        by_sku = {each.sku: Price(each.name, each.unit_price_minor) for each in answer.prices}
        return Prices(answer.currency, by_sku)


class Inventory:
    """client: for tests, one over a transport of their own. auth: this service's own token."""

    def __init__(
        self, base_url: str, auth: httpx.Auth | None = None, client: httpx.Client | None = None
    ) -> None:
        url = f"{base_url}/stock/queries"
        self._neighbour = Neighbour("inventory", url, INVENTORY_READ_TIMEOUT_S, auth, client)

    def available(self, skus: Sequence[str]) -> dict[str, int]:
        """How many of each SKU could be sold. skus: 1-200, unique. Raises StockUnknown."""
        try:
            answer = self._neighbour.ask(skus, StockAnswer)
        except NoAnswer as error:
            raise StockUnknown from error
        return {each.sku: each.available for each in answer.stock}
