"""Prices and stock at the same time: a quote takes as long as the slower of the two."""

import contextvars
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import structlog
from common import deadline
from common.metrics import meter
from common.neighbours import CONNECTIONS

from cart.clients.neighbours import Catalog, Inventory, StockUnknown
from cart.domain import Prices

log = structlog.get_logger()
quotes = meter.create_counter("app.cart.quotes", unit="{quote}")


class Pricing:
    """Threads share one; its own threads start with the first question, after any fork."""

    def __init__(self, catalog: Catalog, inventory: Inventory) -> None:
        self._catalog = catalog
        self._inventory = inventory
        # Each web thread waits for one question here at most; what it left may still be under way.
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="stock")

    def ask(self, skus: Sequence[str]) -> tuple[Prices, Mapping[str, int] | None]:
        """Prices, and how many of each SKU there are: None if the inventory does not answer.

        skus: 1-200, unique. Raises CatalogUnavailable.
        """
        context = contextvars.copy_context()  # So that the other call is of the same trace.
        asked = self._threads.submit(context.run, self._inventory.available, skus)
        try:
            prices = self._catalog.quote(skus)
            stock = _answer(asked)
        finally:
            asked.cancel()  # A question for nobody is not asked when its turn comes.
        quotes.add(1, {"stock_known": stock is not None})
        return prices, stock


def _answer(asked: Future[dict[str, int]]) -> Mapping[str, int] | None:
    try:
        return asked.result(timeout=deadline.remaining_s() - deadline.WORTHWHILE_S)
    except (StockUnknown, TimeoutError) as error:
        log.warning("stock_unknown", error=type(error.__cause__ or error).__name__)
        return None
