"""Steps about who may enter an account, and from where."""

import uuid
from dataclasses import dataclass

import pytest
from harness.shopper.caller import Answer
from harness.shopper.client import Shopper, ShopRefused
from harness.shopper.scenario_shop import ScenarioShop
from harness.shopper.visitor import Visitor
from pytest_bdd import given, parsers, then, when

from steps.identity import PASSWORD, SignedIn

NEW_PASSWORD = "another horse for another year"  # noqa: S105  Of an invented person.
WRONG_PASSWORD = "whatever comes to mind first"  # noqa: S105  Of nobody.


@dataclass
class Door:
    """What was said to those who tried to get in, in order; and her second place."""

    answers: list[Answer]
    second: Shopper | None = None


@pytest.fixture
def door() -> Door:
    return Door([])


@pytest.fixture
def stranger(shop: ScenarioShop) -> Visitor:
    return shop.with_token("")


@when("somebody opens another account with her address")
def opens_another(door: Door, stranger: Visitor, person: SignedIn) -> None:
    door.answers.append(stranger.register(person.email, PASSWORD))


@when(parsers.re(r'somebody opens an account with the password "(?P<password>.+)"'))
def opens_with(door: Door, stranger: Visitor, password: str) -> None:
    door.answers.append(stranger.register(f"{uuid.uuid4().hex}@x.example", password))


@when("somebody signs in with her address and another password")
def signs_in_wrongly(door: Door, stranger: Visitor, person: SignedIn) -> None:
    door.answers.append(stranger.log_in(person.email, WRONG_PASSWORD))


@when("somebody signs in with an address that nobody has")
def signs_in_as_nobody(door: Door, stranger: Visitor) -> None:
    door.answers.append(stranger.log_in(f"{uuid.uuid4().hex}@x.example", WRONG_PASSWORD))


@then("they are told that there is one")
def told_there_is_one(door: Door) -> None:
    assert door.answers[-1].refusal == "email-taken"


@then("they are told to choose another one")
def told_to_choose_another(door: Door) -> None:
    assert door.answers[-1].refusal == "common-password"


@then("both are told the same")
def told_the_same(door: Door) -> None:
    wrong, unknown = door.answers

    assert wrong == unknown
    assert wrong.refusal == "wrong-credentials"


@given("she is signed in at a second place")
def signed_in_elsewhere(shop: ScenarioShop, door: Door, person: SignedIn) -> None:
    door.second = shop.shopper(person.name)
    door.second.log_in(person.email, PASSWORD)


@when("she ends the session at the second place")
def ends_second(shop: ScenarioShop, person: SignedIn) -> None:
    visitor = shop.visitor(person.shopper)
    sessions = visitor.sessions().expect()["sessions"]
    [other] = [one for one in sessions if not one["current"]]
    visitor.end_session(other["session_id"]).expect()


@then("she sees one session, and it is this one")
def sees_one_session(shop: ScenarioShop, person: SignedIn) -> None:
    [session] = shop.visitor(person.shopper).sessions().expect()["sessions"]

    assert session["current"]


@then("the second place has to sign in again")
def second_has_to_sign_in(door: Door) -> None:
    assert door.second is not None
    with pytest.raises(ShopRefused) as refused:
        door.second.refresh()

    assert refused.value.type == "invalid-refresh-token"


@when("she changes her password")
def changes_password(shop: ScenarioShop, person: SignedIn) -> None:
    shop.visitor(person.shopper).change_password(PASSWORD, NEW_PASSWORD).expect()


@then("only the new password opens her account")
def only_new_password(stranger: Visitor, person: SignedIn) -> None:
    assert stranger.log_in(person.email, PASSWORD).refusal == "wrong-credentials"
    assert stranger.log_in(person.email, NEW_PASSWORD).expect()["access_token"]


@when("somebody at her screen tries to change her password without knowing it")
def tries_to_change(shop: ScenarioShop, door: Door, person: SignedIn) -> None:
    visitor = shop.visitor(person.shopper)
    door.answers.append(visitor.change_password(WRONG_PASSWORD, NEW_PASSWORD))


@then("that is refused, and her password is as before")
def password_as_before(door: Door, stranger: Visitor, person: SignedIn) -> None:
    assert door.answers[-1].refusal == "wrong-password"
    assert stranger.log_in(person.email, PASSWORD).expect()["access_token"]
