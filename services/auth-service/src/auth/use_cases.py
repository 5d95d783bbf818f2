"""What the auth service does: one function per use case, in the caller's transaction.

Hashing takes as long as ten statements, so the edge hashes outside of its transactions.
"""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError
from common import auth
from common.auth import Caller, Role
from common.events import Event, publish
from sqlalchemy import Connection

from auth import domain, store
from auth.domain import Credentials, Customer, EmailTaken, HashingBusy, WrongCredentials

# OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, two passes, one lane.
MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
# As many as there are cores to hash on; more would only share them, at 19 MiB each.
HASHES_AT_ONCE = 2
# Ten hashes' time. Whoever waits longer is better told to come again.
HASHING_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer token (RFC 6750) and whose it is."""

    token: str
    customer_id: str
    expires_in_s: int


class Passwords:
    """Hashes and checks passwords with argon2id, HASHES_AT_ONCE at a time."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, type=Type.ID
        )
        self._turns = threading.BoundedSemaphore(HASHES_AT_ONCE)
        # Checked when nobody has the address, so that the answer takes as long.
        self._nobodys_hash = self._hasher.hash(secrets.token_urlsafe())

    def hash(self, password: str) -> str:
        """Raises HashingBusy."""
        with self._turn():
            return self._hasher.hash(domain.canonical_password(password))

    def check(self, credentials: Credentials | None, password: str) -> Credentials:
        """The *credentials*, if *password* is theirs. Raises WrongCredentials, HashingBusy."""
        expected = credentials.password_hash if credentials else self._nobodys_hash
        with self._turn():
            try:
                self._hasher.verify(expected, domain.canonical_password(password))
            except VerifyMismatchError as error:
                raise WrongCredentials from error
        if credentials is None:
            raise WrongCredentials
        return credentials

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=HASHING_WAIT_S):
            raise HashingBusy
        try:
            yield
        finally:
            self._turns.release()


def register(tx: Connection, customer: Customer, password_hash: str) -> None:
    """Raises EmailTaken. Publishes customer.registered."""
    if not store.add(tx, customer, password_hash):
        raise EmailTaken
    told = {"customer_id": customer.id, "email": customer.email, "name": customer.name}
    publish(tx, Event("customer.registered", customer.id, told))


def find_credentials(tx: Connection, email: str) -> Credentials | None:
    """email: canonical."""
    return store.find_credentials(tx, email)


def issue_token(secret: str, customer_id: str, role: Role) -> AccessToken:
    """A token that lasts one checkout; a guest has no more than that."""
    token = auth.issue(secret, Caller(customer_id, role))
    return AccessToken(token, customer_id, int(auth.ACCESS_TOKEN_LIFETIME.total_seconds()))


def describe(tx: Connection, caller: Caller) -> dict[str, str]:
    """Who the caller is; guests and services have neither e-mail address nor name."""
    customer = store.find(tx, caller.id)
    known = asdict(customer) if customer else {}
    known.pop("id", None)
    return {"customer_id": caller.id, "role": caller.role.value} | known
