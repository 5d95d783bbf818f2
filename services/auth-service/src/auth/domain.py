"""Customers and their credentials: values, rules and refusals. Hashes nothing, stores nothing."""

import unicodedata
from dataclasses import dataclass

from common.errors import Conflict, TooManyRequests, Unauthenticated, Unavailable

# NIST SP 800-63B §3.1.1.2: at least eight characters, all kinds allowed, no composition rules.
PASSWORD_CHARS_MIN = 8
# The same source asks for at least 64; without an end a password is a way to keep us busy.
PASSWORD_CHARS_MAX = 128
# RFC 5321 §4.5.3.1.3, less the angle brackets.
EMAIL_CHARS_MAX = 254


class EmailTaken(Conflict):
    title = "An account with this e-mail address exists"


class WrongCredentials(Unauthenticated):
    title = "The e-mail address or the password is wrong"


class TooManyLogins(TooManyRequests):
    title = "Too many attempts to log in"


class LoginLimitUnavailable(Unavailable):
    title = "Logging in is not possible right now"


class HashingBusy(Unavailable):
    title = "Too many passwords are being checked right now"


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


def canonical_email(email: str) -> str:
    """The form in which two spellings of one address are equal.

    RFC 5321 §2.4 lets the local part tell case apart; no mailbox that people have does.
    """
    return email.strip().lower()


def canonical_password(password: str) -> str:
    """The form to hash: the same on every keyboard (NIST SP 800-63B §3.1.1.2, NFKC)."""
    return unicodedata.normalize("NFKC", password)
