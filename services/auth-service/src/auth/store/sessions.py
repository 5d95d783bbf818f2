"""Sessions and their refresh tokens, of which only hashes are kept."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Integer,
    LargeBinary,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql

from auth.domain import Ended, RefreshToken, Session, SessionSeen
from auth.store.customers import as_uuid, customers, metadata

sessions = Table(
    "sessions",
    metadata,
    Column("id", postgresql.UUID(as_uuid=False), primary_key=True),
    Column("customer_id", postgresql.UUID(as_uuid=False), nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("rotated_at", DateTime(timezone=True), nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_used_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("ended_by", Text),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("session_id", postgresql.UUID(as_uuid=False), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)


def open_session(tx: Connection, session: Session, user_agent: str, now: datetime) -> None:
    tx.execute(
        insert(sessions).values(
            id=session.id,
            customer_id=session.customer_id,
            user_agent=user_agent,
            generation=session.generation,
            rotated_at=session.rotated_at,
            salt=session.salt,
            created_at=now,
            last_used_at=now,
            expires_at=session.expires_at,
        )
    )


def add_token(tx: Connection, hash_: bytes, token: RefreshToken) -> None:
    tx.execute(
        insert(refresh_tokens).values(
            hash=hash_,
            session_id=token.session_id,
            generation=token.generation,
            expires_at=token.expires_at,
        )
    )


def lock_by_token(tx: Connection, hash_: bytes) -> tuple[RefreshToken, Session] | None:
    """The token of that hash with its session, which is ours until the transaction ends.

    Tokens never change, so only the session's row, which is read again after waiting for its
    lock, has to be the latest.
    """
    statement = (
        select(
            refresh_tokens.c.generation.label("token_generation"),
            refresh_tokens.c.expires_at.label("token_expires_at"),
            sessions,
            customers.c.role,
        )
        .join(sessions, sessions.c.id == refresh_tokens.c.session_id)
        .join(customers, customers.c.id == sessions.c.customer_id)
        .where(refresh_tokens.c.hash == hash_)
        .with_for_update(of=sessions)
    )
    row = tx.execute(statement).one_or_none()
    if row is None:
        return None
    session = Session(
        row.id,
        row.customer_id,
        row.role,
        row.generation,
        row.rotated_at,
        bytes(row.salt),
        row.expires_at,
        ended=row.ended_at is not None,
    )
    return RefreshToken(row.id, row.token_generation, row.token_expires_at), session


def rotate(tx: Connection, session: Session, now: datetime) -> None:
    """Keep *session*'s generation and salt as of its rotation at *now*."""
    tx.execute(
        update(sessions)
        .where(sessions.c.id == session.id)
        .values(generation=session.generation, salt=session.salt, rotated_at=now, last_used_at=now)
    )


def list_live(tx: Connection, customer_id: str, now: datetime) -> list[SessionSeen]:
    """A customer's sessions, the last used first."""
    rows = tx.execute(
        select(
            sessions.c.id,
            sessions.c.user_agent,
            sessions.c.created_at,
            sessions.c.last_used_at,
            sessions.c.expires_at,
        )
        .where(
            sessions.c.customer_id == as_uuid(customer_id),
            sessions.c.ended_at.is_(None),
            sessions.c.expires_at > now,
        )
        .order_by(sessions.c.last_used_at.desc(), sessions.c.id.desc())
    )
    return [SessionSeen(*row) for row in rows]


def end(tx: Connection, session_ids: Collection[str], ended_by: Ended, now: datetime) -> list[str]:
    """Those of *session_ids* that were still live."""
    if not session_ids:
        return []
    statement = (
        update(sessions)
        .where(sessions.c.id.in_(session_ids), sessions.c.ended_at.is_(None))
        .values(ended_at=now, ended_by=ended_by)
        .returning(sessions.c.id)
    )
    return list(tx.execute(statement).scalars())


def delete_expired(tx: Connection, before: datetime, limit: int) -> int:
    """How many sessions that expired before that went, with their tokens: at most *limit*."""
    expired = (
        select(sessions.c.id)
        .where(sessions.c.expires_at < before)
        .order_by(sessions.c.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return tx.execute(delete(sessions).where(sessions.c.id.in_(expired))).rowcount
