"""How often somebody may order: a sliding minute, counted in the orders themselves.

They are the one count that is right whatever else is down, and it needs no table of its own.
"""

import math
from datetime import datetime, timedelta
from typing import Final

import structlog
from common.metrics import meter
from sqlalchemy import Connection

from order.domain import TooManyOrders
from order.store import rates as store
from order.use_cases.orders import Placement

WINDOW: Final = timedelta(seconds=60)

log = structlog.get_logger()
_refused = meter.create_counter("app.orders.refused_by_rate", "{order}", "Beyond the limit.")


def check_rate(tx: Connection, placement: Placement, limit: int, now: datetime) -> None:
    """Whether *placement* may be one of at most *limit* orders in the last WINDOW.

    Call it once the order's key is known to be new, in the transaction that will place it: until
    that ends, other orders of the same customer wait. Raises TooManyOrders.
    """
    oldest = store.lock_and_find_nth_newest(tx, placement.customer_id, limit)
    if oldest is None or now - oldest >= WINDOW:
        return
    if store.is_placed(tx, placement.customer_id, placement.client_token):
        return  # Its key's answer is forgotten, the order is not: it is shown, none is placed.
    retry_after_s = max(1, math.ceil((oldest + WINDOW - now).total_seconds()))
    _refused.add(1)
    log.warning("order_refused_by_rate", customer_id=placement.customer_id, limit=limit)
    raise TooManyOrders(f"at most {limit} a minute", retry_after_s=retry_after_s)
