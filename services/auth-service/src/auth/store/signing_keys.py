"""Signing keys: public halves in clear, private halves sealed."""

from collections.abc import Collection

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    LargeBinary,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
)

from auth.domain import SigningKey
from auth.store.customers import metadata

# Any number that nothing else in this schema locks by.
_ADVISORY_LOCK = 0x6B657973  # "keys"

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("algorithm", Text, nullable=False),
    Column("public_jwk", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("signs_from", DateTime(timezone=True), nullable=False),
)


def lock(tx: Connection) -> None:
    """Of two who would make a key, one waits and then sees the other's."""
    tx.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))


def list_all(tx: Connection) -> list[SigningKey]:
    rows = tx.execute(select(signing_keys).order_by(signing_keys.c.signs_from))
    return [
        SigningKey(row.kid, row.algorithm, row.public_jwk, bytes(row.sealed), row.signs_from)
        for row in rows
    ]


def add(tx: Connection, key: SigningKey) -> None:
    tx.execute(
        insert(signing_keys).values(
            kid=key.kid,
            algorithm=key.algorithm,
            public_jwk=key.public_jwk,
            sealed=key.sealed,
            signs_from=key.signs_from,
        )
    )


def remove(tx: Connection, kids: Collection[str]) -> None:
    tx.execute(delete(signing_keys).where(signing_keys.c.kid.in_(kids)))
