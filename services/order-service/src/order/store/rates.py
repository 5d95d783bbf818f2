"""How many orders a customer placed of late. Knows SQL; decides nothing."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, text

from order.store.tables import orders

# Names our advisory locks; customers of the same hash merely wait for one another.
RATE_LOCK: Final = 1_901
# Two statements in one round trip, and they have to be two: what the second sees was committed
# before it began, that is, after the lock was granted. The index is that of a customer's list.
_NTH_NEWEST: Final = text(
    """
    SELECT pg_advisory_xact_lock(:lock, hashtext(:customer_id));
    SELECT placed_at FROM orders WHERE customer_id = :customer_id
    ORDER BY id DESC OFFSET :newer LIMIT 1
    """
)


def lock_and_find_nth_newest(tx: Connection, customer_id: str, nth: int) -> datetime | None:
    """When the customer's *nth* newest order was placed; None if there are fewer.

    Until the transaction ends others that ask about the same customer wait, at most lock_timeout.
    """
    asked = {"lock": RATE_LOCK, "customer_id": customer_id, "newer": nth - 1}
    found: datetime | None = tx.execute(_NTH_NEWEST, asked).scalar_one_or_none()
    return found


def is_placed(tx: Connection, customer_id: str, client_token: str | None) -> bool:
    found = select(orders.c.id).where(
        orders.c.customer_id == customer_id, orders.c.client_token == client_token
    )
    return tx.execute(found).first() is not None
