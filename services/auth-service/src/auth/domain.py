"""Customers, credentials, sessions and keys: values, rules and refusals. Stores nothing."""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from itertools import pairwise
from typing import Final

from card_numbers import holds_card_number
from common import addresses
from common.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)

# NIST SP 800-63B §3.1.1.2: at least eight characters, all kinds allowed, no composition rules.
PASSWORD_CHARS_MIN: Final = 8
# The same source asks for at least 64; without an end a password is a way to keep us busy.
PASSWORD_CHARS_MAX: Final = 128

# A device that is used once a fortnight stays logged in ...
REFRESH_TOKEN_LIFETIME: Final = timedelta(days=14)
# ... but shows its password once a month (OWASP ASVS 7.3.2).
SESSION_LIFETIME: Final = timedelta(days=30)
# An answer that got lost is asked for again within seconds (FAPI 2.0 §5.3.2.1).
REFRESH_GRACE: Final = timedelta(seconds=20)
# More devices than anybody has. The least used one makes room.
SESSIONS_MAX: Final = 50
USER_AGENT_CHARS_MAX: Final = 200


class EmailTaken(Conflict):
    title = "An account with this e-mail address exists"


class CommonPassword(Invalid):
    title = "This password is one of the first that a guesser tries"


class WrongCredentials(Unauthenticated):
    title = "The e-mail address or the password is wrong"


class WrongPassword(Forbidden):
    title = "The current password is wrong"


class InvalidRefreshToken(Unauthenticated):
    title = "The refresh token does not hold"


class SessionNotFound(NotFound):
    title = "You have no such session"


class TooManyLogins(TooManyRequests):
    title = "Too many attempts to log in"


class TooManyRegistrations(TooManyRequests):
    title = "Too many accounts were opened from your address"


class TooManyGuests(TooManyRequests):
    title = "Too many guests came from your address"


class LoginLimitUnavailable(Unavailable):
    title = "Logging in is not possible right now"


class HashingBusy(Unavailable):
    title = "Too many passwords are being checked right now"


class FormExpected(UnsupportedMediaType):
    title = "The body has to be a form"


class InvalidClient(Unauthenticated):
    title = "The client is not known, or its secret is wrong"


class MalformedTokenRequest(Malformed):
    title = "The token request is malformed"


class UnsupportedGrantType(Malformed):
    title = "Only client_credentials are granted here"


class InvalidScope(Malformed):
    title = "There are no scopes here"


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody with an account. email: canonical, see `canonical_email`."""

    id: str
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """What it takes to log in as a customer. role: ``customer`` or ``staff``."""

    customer_id: str
    role: str
    password_hash: str


class Ended(StrEnum):
    """Why a session is over."""

    LOGGED_OUT = "logged_out"
    ENDED_ELSEWHERE = "ended_elsewhere"  # from another session of the same customer
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  It is a reason.
    ROLE_CHANGED = "role_changed"
    TOKEN_REUSED = "token_reused"  # noqa: S105  It is a reason.
    CROWDED_OUT = "crowded_out"  # by one above SESSIONS_MAX


@dataclass(frozen=True, slots=True)
class Session:
    """A customer's log-in on one device: a family of refresh tokens, of which one is current.

    generation: of the current token, from 1. rotated_at, salt: of the last rotation.
    expires_at: the end of the session, whatever its tokens say.
    """

    id: str
    customer_id: str
    role: str
    generation: int
    rotated_at: datetime
    salt: bytes
    expires_at: datetime
    ended: bool = False


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """A live session as its customer sees it."""

    id: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What is known of a refresh token beside its hash."""

    session_id: str
    generation: int
    expires_at: datetime


class Judgement(Enum):
    CURRENT = "current"  # to be replaced by its successor
    REPEATED = "repeated"  # the successor's answer got lost, or two asked at once: the same again
    REUSED = "reused"  # one of the two who have it is a thief
    OVER = "over"


def judge(token: RefreshToken, session: Session, now: datetime) -> Judgement:
    """What presenting *token* at *now* means (RFC 9700 §4.14.2, with FAPI's way out)."""
    if session.ended or now >= session.expires_at:
        return Judgement.OVER
    behind = session.generation - token.generation
    if behind == 1 and now - session.rotated_at <= REFRESH_GRACE:
        return Judgement.REPEATED
    if behind > 0:
        return Judgement.REUSED
    return Judgement.OVER if now >= token.expires_at else Judgement.CURRENT


def refresh_expiry(issued_at: datetime, session_expires_at: datetime) -> datetime:
    """Sliding with each refresh, but never beyond the session's own end."""
    return min(issued_at + REFRESH_TOKEN_LIFETIME, session_expires_at)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair. signs_from: when it takes over from the one before.

    public_jwk: as published (JSON). sealed: the private key, which only we can open.
    """

    kid: str
    algorithm: str
    public_jwk: str
    sealed: bytes
    signs_from: datetime


@dataclass(frozen=True, slots=True)
class Rotation:
    """When signing keys come and go.

    ahead: how long a key is published before it signs; longer than any verifier keeps its copy
    of the keys without looking again. kept: how long it stays published after it signed last;
    longer than any token lasts. every: how long one key signs.
    """

    ahead: timedelta = timedelta(minutes=3)
    kept: timedelta = timedelta(minutes=15)
    every: timedelta = timedelta(days=30)


def signing(keys: Sequence[SigningKey], now: datetime) -> SigningKey | None:
    """The one that signs at *now*."""
    ready = [key for key in keys if key.signs_from <= now]
    return max(ready, key=lambda key: key.signs_from, default=None)


def next_signs_from(
    keys: Sequence[SigningKey], rotation: Rotation, now: datetime
) -> datetime | None:
    """From when a new key has to sign, if one has to be made now."""
    if not keys:
        return now  # Nobody waits for an old one.
    newest = max(key.signs_from for key in keys)
    due = newest + rotation.every - rotation.ahead
    return max(now, due) + rotation.ahead if now >= due else None


def retired(keys: Sequence[SigningKey], rotation: Rotation, now: datetime) -> list[str]:
    """The ids of the keys whose last token has expired."""
    in_order = sorted(keys, key=lambda key: key.signs_from)
    return [
        key.kid
        for key, successor in pairwise(in_order)
        if successor.signs_from + rotation.kept <= now
    ]


def canonical_email(email: str) -> str:
    """The form in which two spellings of one address are equal. Raises ValueError.

    RFC 5321 §2.4 lets the local part tell case apart; no mailbox that people have does.
    """
    return addresses.canonical(email.lower())


def canonical_password(password: str) -> str:
    """The form to hash: the same on every keyboard (NIST SP 800-63B §3.1.1.2, NFKC)."""
    return unicodedata.normalize("NFKC", password)


def refuse_common_password(password: str, email: str, common: Collection[str]) -> None:
    """Raises CommonPassword for one of *common*, in any case, or the person's own address."""
    guess = canonical_password(password).casefold()
    if guess in common:
        raise CommonPassword("choose one that is not on every list")
    if guess in (email, email.partition("@")[0]):
        raise CommonPassword("choose one that is not your e-mail address")


def canonical_user_agent(user_agent: str) -> str:
    """What is kept of the header to tell devices apart by: printable, no card, not for ever."""
    if holds_card_number(user_agent):
        return ""
    return "".join(c for c in user_agent if c.isprintable())[:USER_AGENT_CHARS_MAX]
