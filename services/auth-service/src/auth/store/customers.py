"""Customers with their credentials."""

from uuid import UUID

from sqlalchemy import Column, Connection, MetaData, Table, Text, insert, select, text, update
from sqlalchemy.dialects import postgresql

from auth.domain import Credentials, Customer

metadata = MetaData()

customers = Table(
    "customers",
    metadata,
    Column("id", postgresql.UUID(as_uuid=False), primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False, server_default="customer"),
    Column("password_hash", Text, nullable=False),
)

role_changes = Table(
    "role_changes",
    metadata,
    Column("customer_id", postgresql.UUID(as_uuid=False), nullable=False),
    Column("role", Text, nullable=False),
)


def add(tx: Connection, customer: Customer, password_hash: str) -> bool:
    """Whether the e-mail address was free and the customer is added."""
    statement = (
        postgresql.insert(customers)
        .values(
            id=customer.id,
            email=customer.email,
            name=customer.name,
            password_hash=password_hash,
        )
        .on_conflict_do_nothing(index_elements=[customers.c.email])
    )
    return tx.execute(statement).rowcount == 1


def find(tx: Connection, customer_id: str) -> Customer | None:
    """The customer of that id, if there is one. Not every token's subject is a UUID."""
    id_ = as_uuid(customer_id)
    if id_ is None:
        return None
    row = tx.execute(
        select(customers.c.id, customers.c.email, customers.c.name).where(customers.c.id == id_)
    ).one_or_none()
    return Customer(row.id, row.email, row.name) if row else None


def find_credentials(
    tx: Connection, *, email: str | None = None, customer_id: str | None = None
) -> Credentials | None:
    """By the canonical *email*, or by *customer_id*."""
    wanted = customers.c.email == email if email else customers.c.id == as_uuid(customer_id or "")
    row = tx.execute(
        select(customers.c.id, customers.c.role, customers.c.password_hash).where(wanted)
    ).one_or_none()
    return Credentials(row.id, row.role, row.password_hash) if row else None


def lock_credentials(tx: Connection, customer_id: str) -> Credentials | None:
    """As they are until the transaction ends: whoever changes password or role waits for it."""
    row = tx.execute(
        select(customers.c.role, customers.c.password_hash)
        .where(customers.c.id == customer_id)
        .with_for_update(read=True)
    ).one_or_none()
    return Credentials(customer_id, row.role, row.password_hash) if row else None


def replace_password(tx: Connection, known: Credentials, password_hash: str) -> bool:
    """Whether the hash was still the *known* one and is replaced."""
    statement = (
        update(customers)
        .where(
            customers.c.id == known.customer_id,
            customers.c.password_hash == known.password_hash,
        )
        .values(password_hash=password_hash)
    )
    return tx.execute(statement).rowcount == 1


def set_role(tx: Connection, email: str, role: str) -> str | None:
    """The id of the customer whose role was changed, if it was; and a line about it.

    Of the database's owner, who has all schemas and so no search path of ours.
    """
    tx.execute(text("SET LOCAL search_path TO auth"))
    statement = (
        update(customers)
        .where(customers.c.email == email, customers.c.role != role)
        .values(role=role)
        .returning(customers.c.id)
    )
    customer_id: str | None = tx.execute(statement).scalar()
    if customer_id is not None:
        tx.execute(insert(role_changes).values(customer_id=customer_id, role=role))
    return customer_id


def as_uuid(written: str) -> str | None:
    try:
        return str(UUID(written))
    except ValueError:
        return None
