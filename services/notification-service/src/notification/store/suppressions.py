"""The addresses that nothing is sent to until staff say otherwise."""

from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert

from notification.domain.messages import Suppression, address_key
from notification.store.tables import suppressions


def add(tx: Connection, suppression: Suppression) -> bool:
    """Whether it is new."""
    statement = (
        insert(suppressions)
        .values(asdict(suppression))
        .on_conflict_do_nothing(index_elements=["address"])
    )
    return tx.execute(statement).rowcount == 1


def among(tx: Connection, addresses: Iterable[str]) -> set[str]:
    """The keys (`address_key`) of those of *addresses* that are suppressed."""
    keys = sorted({address_key(address) for address in addresses})
    found = tx.scalars(select(suppressions.c.address).where(suppressions.c.address.in_(keys)))
    return set(found)


def page(tx: Connection, address: str | None, before: str | None, limit: int) -> list[Suppression]:
    """Newest first. before: the id of the last one that is known."""
    statement = select(suppressions).order_by(suppressions.c.id.desc()).limit(limit)
    if address is not None:
        statement = statement.where(suppressions.c.address == address_key(address))
    if before is not None:
        statement = statement.where(suppressions.c.id < before)
    return [Suppression(**row._asdict()) for row in tx.execute(statement)]


def remove(tx: Connection, suppression_id: str) -> bool:
    """Whether it was there."""
    statement = delete(suppressions).where(suppressions.c.id == suppression_id)
    return tx.execute(statement).rowcount == 1
