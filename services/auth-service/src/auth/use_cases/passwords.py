"""Hashing and checking passwords.

Hashing takes as long as ten statements, so the edge hashes outside of its transactions.
"""

import functools
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

from auth import domain
from auth.domain import Credentials, HashingBusy, WrongCredentials

# OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, two passes, one lane.
MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
LANES: Final = 1
# As many as there are cores to hash on; more would only share them, at 19 MiB each.
HASHES_AT_ONCE: Final = 2
# Ten hashes' time. Whoever waits longer is better told to come again.
HASHING_WAIT_S: Final = 0.5


@functools.cache
def common_passwords() -> frozenset[str]:
    """The 3,000 most used ones that are long enough (ASVS 6.2.4), in lower case."""
    listed = (resources.files("auth") / "common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in listed.splitlines() if not line.startswith("# "))


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

    def renewed(self, credentials: Credentials, password: str) -> str | None:
        """A new hash of the right *password*, if the old one is of other parameters than ours.

        None when it is not, and when all turns are taken: the next log-in will do.
        """
        if not self._hasher.check_needs_rehash(credentials.password_hash):
            return None
        try:
            return self.hash(password)
        except HashingBusy:
            return None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=HASHING_WAIT_S):
            raise HashingBusy
        try:
            yield
        finally:
            self._turns.release()
