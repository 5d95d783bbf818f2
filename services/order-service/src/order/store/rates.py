"""How many orders a customer placed of late, or an address was told of. Decides nothing."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, exists, func, select, text

from order.store.tables import orders

# Name our advisory locks; customers, and addresses, of the same hash merely wait for one another.
# Always taken in this order, so that nobody waits in a circle.
CUSTOMER_LOCK: Final = 1_901
RECIPIENT_LOCK: Final = 1_902
# Two statements in one round trip, and they have to be two: what the second sees was committed
# before it began, that is, after the locks were granted. One index is that of a customer's list.
_NTH_NEWEST: Final = text(
    """
    SELECT pg_advisory_xact_lock(:customer_lock, hashtext(:customer_id)),
           pg_advisory_xact_lock(:recipient_lock, hashtext(lower(:email)));
    SELECT (
        SELECT placed_at FROM orders WHERE customer_id = :customer_id
        ORDER BY id DESC OFFSET :newer_of_customer LIMIT 1
    ) AS of_customer, (
        SELECT placed_at FROM orders WHERE lower(email) = lower(:email)
        ORDER BY placed_at DESC OFFSET :newer_to_recipient LIMIT 1
    ) AS to_recipient
    """
)


class NthNewest(NamedTuple):
    """When it was placed; None if there are fewer."""

    of_customer: datetime | None
    to_recipient: datetime | None


def lock_and_find_nth_newest(
    tx: Connection, customer_id: str, nth_of_customer: int, email: str, nth_to_recipient: int
) -> NthNewest:
    """The customer's nth newest order, and that to *email*, in any case of letters.

    Until the transaction ends others that ask about either wait, at most lock_timeout.
    """
    asked = {
        "customer_lock": CUSTOMER_LOCK,
        "customer_id": customer_id,
        "newer_of_customer": nth_of_customer - 1,
        "recipient_lock": RECIPIENT_LOCK,
        "email": email,
        "newer_to_recipient": nth_to_recipient - 1,
    }
    return NthNewest(*tx.execute(_NTH_NEWEST, asked).one())


def is_placed(tx: Connection, customer_id: str, client_token: str | None) -> bool:
    found = select(orders.c.id).where(
        orders.c.customer_id == customer_id, orders.c.client_token == client_token
    )
    return tx.execute(found).first() is not None


def has_ordered_to(tx: Connection, customer_id: str, email: str, *, before: datetime) -> bool:
    """Whether the customer did so before that moment."""
    found = exists().where(
        orders.c.customer_id == customer_id,
        func.lower(orders.c.email) == email.lower(),
        orders.c.placed_at < before,
    )
    return bool(tx.scalar(select(found)))


def find_nth_newest_of_customer_to(
    tx: Connection, customer_id: str, email: str, nth: int, *, after: datetime
) -> datetime | None:
    """When the customer's nth newest order to *email*, in any case of letters, was placed.

    None if there are fewer after that moment; no older one is read, whoever placed it.
    """
    statement = (
        select(orders.c.placed_at)
        .where(
            orders.c.customer_id == customer_id,
            func.lower(orders.c.email) == email.lower(),
            orders.c.placed_at > after,
        )
        .order_by(orders.c.placed_at.desc())
        .offset(nth - 1)
        .limit(1)
    )
    return tx.execute(statement).scalar()
