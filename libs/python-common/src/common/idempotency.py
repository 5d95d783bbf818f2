"""`Idempotency-Key`: the same request twice has one effect and one answer.

draft-ietf-httpapi-idempotency-key-header. The key's row is inserted in the transaction of the
business write, so there is no lease to expire: a crash takes both away, a commit keeps both.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import orjson
from flask import Response
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError

from common.errors import Conflict, Invalid, Malformed

# 1-255 printable ASCII characters, as Stripe and Adyen take them.
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's error code when lock_timeout runs out

metadata = MetaData()

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer),
    Column("location", Text),
    Column("body", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


class IdempotencyKeyMissing(Malformed):
    title = "The Idempotency-Key header is missing or malformed"


class IdempotencyKeyReused(Invalid):
    title = "The Idempotency-Key was used for another request"


class RequestInFlight(Conflict):
    title = "The same request is being handled right now"


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored response, byte for byte."""

    status: int
    location: str | None
    body: str

    @classmethod
    def of(cls, content: object, status: int, location: str | None = None) -> Self:
        return cls(status, location, orjson.dumps(content).decode())

    def render(self) -> Response:
        headers = {"Location": self.location} if self.location else None
        return Response(self.body, self.status, headers, content_type="application/json")


def read_key(header: str | None) -> str:
    """The key in *header*, bare or as a quoted Structured-Field string.

    Raises IdempotencyKeyMissing.
    """
    key = (header or "").strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise IdempotencyKeyMissing("1 to 255 printable ASCII characters are needed")
    return key


def fingerprint(*parts: object) -> str:
    """Tells one request from another: SHA-256 of its canonical JSON, not the request itself."""
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def once(
    tx: Connection, subject: str, key: str | None, print_: str, act: Callable[[Connection], Answer]
) -> Answer:
    """*act*'s answer, which commits with the key; or what it answered the first time.

    subject: whose key it is. key: None for a request without one, which acts every time.
    act: writes in *tx*; what it raises rolls *tx* back, and the key is free again.
    Waits (at most lock_timeout) for a transaction that holds the same key.
    Raises IdempotencyKeyReused, RequestInFlight.
    """
    if key is None:
        return act(tx)
    answer = _claim(tx, subject, key, print_)
    if answer is None:
        answer = act(tx)
        _store(tx, subject, key, answer)
    return answer


def find(tx: Connection, subject: str, key: str, print_: str) -> Answer | None:
    """The stored answer, or None if the key is new. Raises IdempotencyKeyReused."""
    row = tx.execute(
        select(idempotency_keys).where(
            idempotency_keys.c.subject == subject, idempotency_keys.c.key == key
        )
    ).one_or_none()
    if row is None:
        return None
    if row.fingerprint != print_:
        raise IdempotencyKeyReused
    return Answer(row.status, row.location, row.body)


def _claim(tx: Connection, subject: str, key: str, print_: str) -> Answer | None:
    """Take the key for this transaction; the stored answer if somebody already had it."""
    statement = (
        insert(idempotency_keys)
        .values(subject=subject, key=key, fingerprint=print_)
        .on_conflict_do_nothing()
    )
    try:
        taken = tx.execute(statement).rowcount == 1
    except OperationalError as error:
        if getattr(error.orig, "pgcode", None) == LOCK_NOT_AVAILABLE:
            raise RequestInFlight from error
        raise
    return None if taken else find(tx, subject, key, print_)


def _store(tx: Connection, subject: str, key: str, answer: Answer) -> None:
    tx.execute(
        update(idempotency_keys)
        .where(idempotency_keys.c.subject == subject, idempotency_keys.c.key == key)
        .values(status=answer.status, location=answer.location, body=answer.body)
    )
