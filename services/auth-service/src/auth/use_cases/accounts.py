"""Opening an account, finding it again, changing its password and its role."""

from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import datetime

from common.auth import Caller
from common.events import Event, publish
from sqlalchemy import Connection

from auth import domain
from auth.domain import Credentials, Customer, EmailTaken, Ended
from auth.store import customers
from auth.use_cases import sessions


def register(tx: Connection, customer: Customer, password_hash: str) -> None:
    """Raises EmailTaken. Publishes customer.registered."""
    if not customers.add(tx, customer, password_hash):
        raise EmailTaken
    told = {"customer_id": customer.id, "email": customer.email, "name": customer.name}
    publish(tx, Event("customer.registered", customer.id, told))


def find_credentials(
    tx: Connection, *, email: str | None = None, customer_id: str | None = None
) -> Credentials | None:
    """email: canonical."""
    return customers.find_credentials(tx, email=email, customer_id=customer_id)


def refuse_common_password(
    tx: Connection, caller: Caller, new: str, common: Collection[str]
) -> None:
    """Raises CommonPassword, as at registration."""
    customer = customers.find(tx, caller.id)
    domain.refuse_common_password(new, customer.email if customer else "", common)


def rehash(tx: Connection, known: Credentials, password_hash: str) -> Credentials:
    """Keep the stronger hash, unless the password was changed meanwhile; what they are then."""
    kept = customers.replace_password(tx, known, password_hash)
    return replace(known, password_hash=password_hash) if kept else known


def change_password(
    tx: Connection, caller: Caller, known: Credentials, password_hash: str, now: datetime
) -> list[str] | None:
    """Replace the *known* hash and end all other sessions: their ids.

    None if somebody else replaced it first: then the current password is another now.
    """
    if not customers.replace_password(tx, known, password_hash):
        return None
    return sessions.end_all(
        tx, known.customer_id, Ended.PASSWORD_CHANGED, now, but=caller.session_id
    )


def change_role(tx: Connection, email: str, role: str, now: datetime) -> list[str] | None:
    """Make the customer of that canonical address *role*; the sessions that ended by it.

    None if nobody has the address, or has that role already. For the owner of the database: the
    service's own role has no right to.
    """
    customer_id = customers.set_role(tx, email, role)
    if customer_id is None:
        return None
    return sessions.end_all(tx, customer_id, Ended.ROLE_CHANGED, now)


def describe(tx: Connection, caller: Caller) -> dict[str, str]:
    """Who the caller is; guests and services have neither e-mail address nor name."""
    customer = customers.find(tx, caller.id)
    known = asdict(customer) if customer else {}
    known.pop("id", None)
    return {"customer_id": caller.id, "role": caller.role.value} | known
