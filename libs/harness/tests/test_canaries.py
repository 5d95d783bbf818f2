"""What is written about a secret is found, however it is written, and nothing else is."""

import base64
import json
from urllib.parse import quote

import pytest
from harness.audit.canaries import Canary, Passage, search

PASSWORD = Canary("password", "Löwe & Esel/42 gehen?")
CARD = Canary("card number", "4929002345678904")
EMAIL = Canary("e-mail", "ana.canary@shoppers.example", belongs_in=frozenset({"mail"}))


def found(canary: Canary, text: str, kind: str = "log") -> list[str]:
    return [leak.form for leak in search([canary], [Passage(kind, "here", text)]).leaks]


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:"])
def test_a_secret_in_base64_is_found_wherever_it_begins(before: str) -> None:
    header = base64.b64encode(f"{before}{PASSWORD.secret}:rest".encode()).decode()

    assert found(PASSWORD, f"authorization: Basic {header}") == ["base64"]


@pytest.mark.parametrize("before", ["", "a", "ab"])
def test_and_so_is_one_in_the_alphabet_for_addresses(before: str) -> None:
    text = base64.urlsafe_b64encode(f"{before}{PASSWORD.secret}".encode()).decode()

    assert found(PASSWORD, text) == ["base64"]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (f"it is {PASSWORD.secret}.", "plain"),
        (f"IT IS {PASSWORD.secret.upper()}", "plain"),
        (f"/login?password={quote(PASSWORD.secret)}", "percent-encoded"),
        (f"/login?password={quote(PASSWORD.secret, safe='')}", "percent-encoded"),
        (PASSWORD.secret.encode().hex(), "hex"),
        (json.dumps({"password": PASSWORD.secret}), "escaped"),
    ],
    ids=["as it is", "in capitals", "in a path", "in a query", "in hex", "in JSON"],
)
def test_a_secret_is_found_as_programs_write_it(text: str, form: str) -> None:
    assert found(PASSWORD, text)[:1] == [form]


@pytest.mark.parametrize(
    "text", ["4929 0023 4567 8904", "4929-0023-4567-8904", "x4929002345678904"]
)
def test_a_card_number_is_found_as_people_write_it(text: str) -> None:
    assert found(CARD, text) in (["grouped"], ["plain"])


def test_what_is_no_secret_is_left_alone() -> None:
    assert found(PASSWORD, "Löwe & Esel/43 gehen?") == []
    assert found(CARD, "4929 0023 4567 8905") == []


def test_a_recipient_may_stand_in_a_mail_and_nowhere_else() -> None:
    assert found(EMAIL, EMAIL.secret, "mail") == []
    assert found(EMAIL, EMAIL.secret, "log") == ["plain"]


def test_it_counts_what_it_looked_through() -> None:
    passages = [
        Passage("log", "a:1", "12345"),
        Passage("log", "a:2", "1"),
        Passage("mail", "b", ""),
    ]

    searched = search([PASSWORD], passages)

    assert searched.passages == {"log": 2, "mail": 1}
    assert searched.characters == {"log": 6, "mail": 0}


def test_what_is_reported_tells_no_secret() -> None:
    [leak] = search([PASSWORD], [Passage("log", "order-web.log:7", PASSWORD.secret)]).leaks

    assert str(leak) == "password (plain) in log order-web.log:7"
    assert PASSWORD.secret not in repr(leak) + repr(PASSWORD)


def test_a_canary_that_could_occur_by_chance_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Canary("pin", "1234")
