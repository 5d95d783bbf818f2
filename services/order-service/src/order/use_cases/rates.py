"""How often somebody may order, or be ordered to: sliding windows, counted in the orders
themselves.

They are the one count that is right whatever else is down, and it needs no table of its own.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from common.metrics import meter
from sqlalchemy import Connection

from order.domain import TooManyOrders
from order.store import rates as store
from order.use_cases.orders import Placement

OF_CUSTOMER_WITHIN: Final = timedelta(minutes=1)
TO_RECIPIENT_WITHIN: Final = timedelta(hours=1)

log = structlog.get_logger()
_refused = meter.create_counter("app.orders.refused_by_rate", "{order}", "Beyond a limit.")


@dataclass(frozen=True, slots=True)
class Rates:
    """At most so many orders. of_customer: in a minute. to_recipient: to one e-mail address, by
    all customers and guests together, in an hour; by whoever ordered to it before that hour, alone.
    """

    of_customer: int
    to_recipient: int


def check_rates(tx: Connection, placement: Placement, rates: Rates, now: datetime) -> None:
    """Whether *placement* is one too many. Raises TooManyOrders.

    Call it once the order's key is known to be new, in the transaction that will place it: until
    that ends, other orders of the same customer, or to the same address, wait.
    """
    nth = store.lock_and_find_nth_newest(
        tx, placement.customer_id, rates.of_customer, placement.email, rates.to_recipient
    )
    _check(tx, placement, nth.of_customer, OF_CUSTOMER_WITHIN, f"{rates.of_customer} a minute", now)
    hour_ago = now - TO_RECIPIENT_WITHIN
    if nth.to_recipient is None or nth.to_recipient <= hour_ago:
        return
    # Strangers who order in somebody's name must not keep that person from ordering: who ordered to
    # the address before is counted alone, but counted, as a stranger may have waited for it.
    if not store.has_ordered_to(tx, placement.customer_id, placement.email, before=hour_ago):
        told = f"{rates.to_recipient} an hour to one e-mail address"
        _check(tx, placement, nth.to_recipient, TO_RECIPIENT_WITHIN, told, now)
    else:
        own = store.find_nth_newest_of_customer_to(
            tx, placement.customer_id, placement.email, rates.to_recipient, after=hour_ago
        )
        told = f"{rates.to_recipient} an hour of one customer's to one e-mail address"
        _check(tx, placement, own, TO_RECIPIENT_WITHIN, told, now)


def _check(
    tx: Connection,
    placement: Placement,
    nth: datetime | None,
    within: timedelta,
    told: str,
    now: datetime,
) -> None:
    """nth: when the order was placed that has to be older than *within*, if there is one."""
    if nth is None or now - nth >= within:
        return
    if store.is_placed(tx, placement.customer_id, placement.client_token):
        return  # Its key's answer is forgotten, the order is not: it is shown, none is placed.
    _refused.add(1)
    log.warning("order_refused_by_rate", customer_id=placement.customer_id, limit=told)
    retry_after_s = max(1, math.ceil((nth + within - now).total_seconds()))
    raise TooManyOrders(f"at most {told}", retry_after_s=retry_after_s)
