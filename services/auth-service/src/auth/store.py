"""Customers in PostgreSQL. Knows SQL and `domain`; decides nothing."""

from uuid import UUID

from sqlalchemy import Column, Connection, MetaData, Table, Text, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import insert

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


def add(tx: Connection, customer: Customer, password_hash: str) -> bool:
    """Whether the e-mail address was free and the customer is added."""
    statement = (
        insert(customers)
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
    try:
        id_ = str(UUID(customer_id))
    except ValueError:
        return None
    row = tx.execute(
        select(customers.c.id, customers.c.email, customers.c.name).where(customers.c.id == id_)
    ).one_or_none()
    return Customer(row.id, row.email, row.name) if row else None


def find_credentials(tx: Connection, email: str) -> Credentials | None:
    row = tx.execute(
        select(customers.c.id, customers.c.role, customers.c.password_hash).where(
            customers.c.email == email
        )
    ).one_or_none()
    return Credentials(row.id, row.role, row.password_hash) if row else None
