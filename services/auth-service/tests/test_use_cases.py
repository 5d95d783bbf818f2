"""Hashing: its parameters, its equal cost for strangers, its limit."""

import pytest
from auth import use_cases
from auth.domain import Credentials, HashingBusy, WrongCredentials
from auth.use_cases import Passwords

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords()


def test_passwords_are_hashed_as_owasp_says(passwords: Passwords) -> None:
    hashed = passwords.hash(PASSWORD)

    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.hash(PASSWORD) != hashed, "each hash has its own salt"


def test_only_the_right_password_passes(passwords: Passwords) -> None:
    ana = Credentials("ana", "customer", passwords.hash(PASSWORD))

    assert passwords.check(ana, PASSWORD) == ana
    for wrong in ("", "correct hors", "Correct horse", "correct horse "):
        with pytest.raises(WrongCredentials):
            passwords.check(ana, wrong)


def test_nobody_has_no_password(passwords: Passwords) -> None:
    for password in ("", PASSWORD):
        with pytest.raises(WrongCredentials):
            passwords.check(None, password)


def test_whoever_guesses_nobodys_password_is_still_nobody() -> None:
    guessed = Passwords()
    guessed._nobodys_hash = guessed.hash(PASSWORD)

    with pytest.raises(WrongCredentials):
        guessed.check(None, PASSWORD)


def test_a_stranger_costs_a_hash_as_anybody_does() -> None:
    """Of the work, not of the clock: with all turns taken a stranger waits for one too."""
    busy = Passwords()
    with busy._turn(), busy._turn(), pytest.raises(HashingBusy):
        busy.check(None, PASSWORD)


def test_no_more_than_two_hash_at_once_and_each_turn_is_given_back() -> None:
    busy = Passwords()
    assert use_cases.HASHES_AT_ONCE == 2
    with busy._turn():
        busy.hash(PASSWORD)
        with busy._turn(), pytest.raises(HashingBusy):
            busy.hash(PASSWORD)
    for _ in range(3):
        with pytest.raises(WrongCredentials):
            busy.check(None, PASSWORD)
