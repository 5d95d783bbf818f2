"""Sessions: one per log-in, kept alive by refresh tokens that hold once each (RFC 9700 §4.14)."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from common.auth import Caller, Role
from common.ids import new_id
from sqlalchemy import Connection

from auth import domain
from auth.domain import (
    SESSION_LIFETIME,
    SESSIONS_MAX,
    Credentials,
    Ended,
    InvalidRefreshToken,
    Judgement,
    RefreshToken,
    Session,
    SessionNotFound,
    SessionSeen,
    WrongCredentials,
)
from auth.store import customers
from auth.store import sessions as store
from auth.use_cases.derived_secrets import SALT_BYTES, DerivedSecrets, digest

# For whoever asks, after the fact, what a session did.
KEPT_AFTER_EXPIRY: Final = timedelta(days=1)
# Deleted in one transaction: with their tokens some ten milliseconds of work.
SWEEP_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Grant:
    """What a session gives: a caller to issue an access token for, and a refresh token.

    crowded_out: the sessions that had to make room.
    """

    caller: Caller
    refresh_token: str
    expires_at: datetime
    crowded_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reused:
    """A refresh token came a second time, so its session is over: whoever has it logs in again."""

    session_id: str
    customer_id: str


def begin(
    tx: Connection, owner: Credentials, user_agent: str, derived: DerivedSecrets, now: datetime
) -> Grant:
    """A new session of *owner*. With more than SESSIONS_MAX the least used ones end.

    Raises WrongCredentials if their password was changed since it was checked: checking takes
    longer than changing, which ends the sessions that there are, and this one was none of them.
    """
    current = customers.lock_credentials(tx, owner.customer_id)
    if current is None or current.password_hash != owner.password_hash:
        raise WrongCredentials
    session = Session(
        new_id(),
        owner.customer_id,
        current.role,
        generation=1,
        rotated_at=now,
        salt=secrets.token_bytes(SALT_BYTES),
        expires_at=now + SESSION_LIFETIME,
    )
    store.open_session(tx, session, domain.canonical_user_agent(user_agent), now)
    grant = _hand_out(tx, session, derived.first_token(), now)
    live = store.list_live(tx, owner.customer_id, now)
    surplus = [seen.id for seen in live[SESSIONS_MAX:]]
    return replace(grant, crowded_out=tuple(store.end(tx, surplus, Ended.CROWDED_OUT, now)))


def refresh(
    tx: Connection, presented: str, derived: DerivedSecrets, now: datetime
) -> Grant | Reused:
    """The session's next tokens. Raises InvalidRefreshToken.

    For a token that was replaced just now the same successor again (its answer got lost, or two
    asked at once); for one replaced before that, Reused: let the transaction commit, then refuse.
    """
    known = store.lock_by_token(tx, digest(presented))
    if known is None:
        raise InvalidRefreshToken
    token, session = known
    match domain.judge(token, session, now):
        case Judgement.OVER:
            raise InvalidRefreshToken
        case Judgement.REUSED:
            store.end(tx, [session.id], Ended.TOKEN_REUSED, now)
            return Reused(session.id, session.customer_id)
        case Judgement.REPEATED:
            expires_at = domain.refresh_expiry(session.rotated_at, session.expires_at)
            return Grant(_caller(session), derived.successor(presented, session.salt), expires_at)
        case Judgement.CURRENT:
            return _rotate(tx, session, presented, derived, now)


def _rotate(
    tx: Connection, session: Session, presented: str, derived: DerivedSecrets, now: datetime
) -> Grant:
    rotated = replace(
        session,
        generation=session.generation + 1,
        rotated_at=now,
        salt=secrets.token_bytes(SALT_BYTES),
    )
    store.rotate(tx, rotated, now)
    return _hand_out(tx, rotated, derived.successor(presented, rotated.salt), now)


def _hand_out(tx: Connection, session: Session, refresh_token: str, now: datetime) -> Grant:
    expires_at = domain.refresh_expiry(now, session.expires_at)
    token = RefreshToken(session.id, session.generation, expires_at)
    store.add_token(tx, digest(refresh_token), token)
    return Grant(_caller(session), refresh_token, expires_at)


def _caller(session: Session) -> Caller:
    """With the role the customer has now, whatever it was at the log-in."""
    return Caller(session.customer_id, Role(session.role), session.id)


def list_live(tx: Connection, caller: Caller, now: datetime) -> list[SessionSeen]:
    return store.list_live(tx, caller.id, now)[:SESSIONS_MAX]


def end_own(tx: Connection, caller: Caller, session_id: str, now: datetime) -> list[str]:
    """End one of the caller's own sessions. Raises SessionNotFound, for others' too."""
    if session_id not in {seen.id for seen in store.list_live(tx, caller.id, now)}:
        raise SessionNotFound
    ended_by = Ended.LOGGED_OUT if session_id == caller.session_id else Ended.ENDED_ELSEWHERE
    return store.end(tx, [session_id], ended_by, now)


def log_out(tx: Connection, caller: Caller, now: datetime) -> list[str]:
    """End the session that the caller's token came from, if it came from one."""
    return store.end(tx, [caller.session_id] if caller.session_id else [], Ended.LOGGED_OUT, now)


def end_all(
    tx: Connection, customer_id: str, ended_by: Ended, now: datetime, *, but: str | None = None
) -> list[str]:
    """End the customer's sessions, all or all *but* one: their ids."""
    live = store.list_live(tx, customer_id, now)
    return store.end(tx, [seen.id for seen in live if seen.id != but], ended_by, now)


def sweep(tx: Connection, now: datetime) -> int:
    """Delete some of the sessions that expired; how many went."""
    return store.delete_expired(tx, now - KEPT_AFTER_EXPIRY, SWEEP_BATCH)
