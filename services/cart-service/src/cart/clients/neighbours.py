"""The catalog and the inventory over HTTP, with stated timeouts and few retries."""

import threading
from collections.abc import Sequence
from typing import Final, TypeVar

import httpx
from common.auth import ServiceTokenUnavailable
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from cart.domain import CatalogUnavailable, Price, Prices

# On one network a connection takes a millisecond; the kernel repeats a lost SYN only after 1 s.
CONNECT_TIMEOUT_S: Final = 0.25
# A quote of 200 products takes 20 ms; a shopper who waits longer than this has left.
CATALOG_READ_TIMEOUT_S: Final = 2.0
# The quote is of use without stock, so nobody waits long for it.
INVENTORY_READ_TIMEOUT_S: Final = 0.75
ATTEMPTS_MAX: Final = 3
# Full jitter: up to 50 ms at first, doubled.
RETRY_S: Final = 0.05
RETRY_S_MAX: Final = 0.5
# One retry for ten calls at the most: who is down is not helped by three times the load.
RETRIES_PER_CALL: Final = 0.1
# As many may be retried at once after a quiet time: an instance that restarts drops this many.
RETRIES_SAVED_MAX: Final = 10.0
# Gateways say these while an instance restarts.
RETRIABLE_STATUSES: Final = frozenset({502, 503, 504})
# Both calls change nothing, so they may be repeated; but whoever was slow once is not asked again.
RETRIABLE_ERRORS: Final = (httpx.ConnectTimeout, httpx.NetworkError, httpx.RemoteProtocolError)
CONNECTIONS: Final = 8  # as many as a web process has threads


class StockUnknown(Exception):
    """The inventory did not answer, or not in the form it promises."""


class _NotNow(Exception):
    """The neighbour could not be reached, or asked for patience."""


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


class RetryBudget:
    """Lets a tenth of all calls be retried. Threads share one."""

    def __init__(self) -> None:
        self._left = RETRIES_SAVED_MAX
        self._lock = threading.Lock()

    def earn(self) -> None:
        """A call is made."""
        with self._lock:
            self._left = min(self._left + RETRIES_PER_CALL, RETRIES_SAVED_MAX)

    def spend(self) -> bool:
        """Whether a retry may be made, which is then counted."""
        with self._lock:
            affordable = self._left >= 1
            self._left -= affordable
            return affordable


class _Neighbour:
    """One POST that only reads, retried within its budget."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self._url = url
        self._http = http
        self._budget = RetryBudget()

    def ask(self, skus: Sequence[str], answer: type[Answer]) -> Answer:
        """Raises _NotNow, httpx.HTTPError, ValidationError, ServiceTokenUnavailable."""
        self._budget.earn()
        retrying = Retrying(
            retry=retry_if_exception_type(_NotNow),
            stop=self._is_over,
            wait=wait_random_exponential(RETRY_S, RETRY_S_MAX),
            reraise=True,
        )
        answered: Answer = retrying(self._post, skus, answer)
        return answered

    def _is_over(self, state: RetryCallState) -> bool:
        return stop_after_attempt(ATTEMPTS_MAX)(state) or not self._budget.spend()

    def _post(self, skus: Sequence[str], answer: type[Answer]) -> Answer:
        try:
            response = self._http.post(self._url, json={"skus": list(skus)})
        except RETRIABLE_ERRORS as error:
            raise _NotNow from error
        if response.status_code in RETRIABLE_STATUSES:
            raise _NotNow
        return answer.model_validate_json(response.raise_for_status().content)


_FAULTS: Final = (_NotNow, httpx.HTTPError, ValidationError, ServiceTokenUnavailable)


class Catalog:
    """client: for tests, one over a transport of their own. auth: this service's own token."""

    def __init__(
        self, base_url: str, auth: httpx.Auth | None = None, client: httpx.Client | None = None
    ) -> None:
        http = client or _client(CATALOG_READ_TIMEOUT_S, auth)
        self._neighbour = _Neighbour(f"{base_url}/quotes", http)

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
        self._neighbour = _Neighbour(f"{base_url}/stock/queries", http)

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
