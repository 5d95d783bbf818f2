"""Steps about accounts, sessions and their refresh tokens."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from harness.eventually import eventually
from harness.shopper.client import Shopper, ShopRefused
from harness.shopper.scenario_shop import ScenarioShop
from pytest_bdd import given, parsers, then, when

PASSWORD = "a horse that nobody else rides"  # noqa: S105  Of an invented person.
WELCOMED_WITHIN_S = 40.0


@dataclass
class SignedIn:
    """Somebody with an account; every refresh token that was ever theirs, oldest first."""

    shopper: Shopper
    name: str
    email: str
    tokens: list[str] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)

    def refresh_with(self, token: str) -> dict[str, Any]:
        self.shopper.refresh_token = token
        return self.shopper.refresh()


@given(parsers.re(r"(?P<name>\w+) has an account and is signed in"), target_fixture="person")
def is_signed_in(shop: ScenarioShop, name: str) -> SignedIn:
    shopper = shop.shopper(name)
    email = f"{name.lower()}-{uuid.uuid4().hex}@shoppers.example"
    shopper.register(email, PASSWORD)
    shopper.log_in(email, PASSWORD)
    return SignedIn(shopper, name, email, [shopper.refresh_token])


@when("her session is refreshed")
def is_refreshed(person: SignedIn) -> None:
    person.tokens.append(person.refresh_with(person.tokens[-1])["refresh_token"])


@when(parsers.re(r"her session is refreshed (?P<times>\d+) times"), converters={"times": int})
def is_refreshed_often(person: SignedIn, times: int) -> None:
    for _ in range(times):
        is_refreshed(person)


@when("her session is refreshed twice with the same token at once")
def is_refreshed_twice(person: SignedIn) -> None:
    token = person.tokens[-1]
    with ThreadPoolExecutor(2) as hands:
        asked = [hands.submit(person.refresh_with, token) for _ in range(2)]
        person.answers = [answer.result() for answer in asked]


@when("she signs out")
def signs_out(person: SignedIn) -> None:
    person.shopper.log_out()


@then("she gets one mail, a welcome")
def is_welcomed(shop: ScenarioShop, person: SignedIn) -> None:
    mails = eventually(lambda: shop.mails_to(person.email), WELCOMED_WITHIN_S, "a welcome")

    assert [mail["kind"] for mail in mails] == ["welcome"]


@then(parsers.re(r"she is still (?P<name>\w+)"))
def is_still(person: SignedIn, name: str) -> None:
    assert person.shopper.me()["name"] == name


@then("both answers are the same tokens")
def same_tokens(person: SignedIn) -> None:
    first, second = person.answers

    assert first["refresh_token"] == second["refresh_token"]
    assert first["refresh_token"] != person.tokens[-1]


@when("somebody uses her first refresh token", target_fixture="theft")
def uses_first_token(person: SignedIn) -> ShopRefused:
    with pytest.raises(ShopRefused) as refused:
        person.refresh_with(person.tokens[0])
    return refused.value


@then("that is refused")
def is_refused(theft: ShopRefused) -> None:
    assert theft.status == 401


@then("her own refresh token is refused too")
def own_token_is_refused(person: SignedIn) -> None:
    with pytest.raises(ShopRefused) as refused:
        person.refresh_with(person.tokens[-1])

    assert refused.value.status == 401
