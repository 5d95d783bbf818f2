"""Hashing: its parameters, its equal cost for strangers, its limit; and what is refused."""

import pytest
from argon2 import PasswordHasher
from auth import domain
from auth.domain import CommonPassword, Credentials, HashingBusy, WrongCredentials
from auth.use_cases import passwords as module
from auth.use_cases.passwords import Passwords, common_passwords

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


@pytest.mark.parametrize(
    "long",
    ["x" * 127, "ж" * 127, "🫖" * 127, "\ufdfa" * 127],
    ids=["ascii", "cyrillic", "emoji", "nfkc"],
)
def test_the_128th_character_counts(passwords: Passwords, long: str) -> None:
    ana = Credentials("ana", "customer", passwords.hash(long + "y"))

    assert passwords.check(ana, long + "y") == ana
    for cut in (long + "z", long):
        with pytest.raises(WrongCredentials):
            passwords.check(ana, cut)


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
    assert module.HASHES_AT_ONCE == 2
    with busy._turn():
        busy.hash(PASSWORD)
        with busy._turn(), pytest.raises(HashingBusy):
            busy.hash(PASSWORD)
    for _ in range(3):
        with pytest.raises(WrongCredentials):
            busy.check(None, PASSWORD)


def test_only_a_hash_of_other_parameters_is_renewed(passwords: Passwords) -> None:
    weak = Credentials("ana", "customer", PasswordHasher(1, 1024, 1).hash(PASSWORD))
    ours = Credentials("bob", "customer", passwords.hash(PASSWORD))

    stronger = passwords.renewed(weak, PASSWORD)

    assert passwords.renewed(ours, PASSWORD) is None
    assert stronger is not None
    assert stronger.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.check(Credentials("ana", "customer", stronger), PASSWORD)


def test_a_renewal_never_makes_a_login_fail() -> None:
    busy = Passwords()
    weak = Credentials("ana", "customer", PasswordHasher(1, 1024, 1).hash(PASSWORD))

    with busy._turn(), busy._turn():
        assert busy.renewed(weak, PASSWORD) is None


def test_three_thousand_common_passwords_are_known() -> None:
    common = common_passwords()

    assert len(common) == 3000
    assert {"password", "12345678", "baseball", "trustno1"} <= common
    assert [word for word in common if len(word) < 8 or word != word.casefold()] == []


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "PassWord",
        "12345678",
        "\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
        "ana@example.com",
        "Marianne",
    ],
)
def test_what_a_guesser_tries_first_is_refused(password: str) -> None:
    email = "marianne@example.com" if password == "Marianne" else "ana@example.com"

    with pytest.raises(CommonPassword):
        domain.refuse_common_password(password, email, common_passwords())


@pytest.mark.parametrize("password", [PASSWORD, "x" * 8, "password of mine"])
def test_anything_else_will_do(password: str) -> None:
    assert domain.refuse_common_password(password, "ana@example.com", common_passwords()) is None  # type: ignore[func-returns-value]
