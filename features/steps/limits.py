"""Steps about shops that count how often people try; the others of this suite do not."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from harness import stack
from harness.shopper.caller import Answer
from harness.shopper.client import Line, Shopper
from harness.shopper.scenario_shop import ScenarioShop
from pytest_bdd import given, parsers, then, when

from steps.identity import PASSWORD
from steps.order import GOOD_CARD

# Whom it takes to sign in and to order; nothing has to be delivered.
SERVICES = ("auth", "cart", "catalog", "order")
LIMITS = {"ORDER_RATE_PER_MINUTE": "10", "LOGINS_PER_MINUTE_PER_ACCOUNT": "5"}
GUESSES_MAX = 20


@dataclass
class Trying:
    """One person in the strict shop, and what they were told."""

    shop: ScenarioShop
    ida: Shopper
    email: str
    sku: str
    answers: list[Answer] = field(default_factory=list)

    def order(self, shopper: Shopper) -> Answer:
        visitor = self.shop.visitor(shopper)
        return visitor.try_to_order([Line(self.sku, 1)], card=GOOD_CARD, key=str(uuid.uuid4()))


@pytest.fixture(scope="session")
def limited_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScenarioShop]:
    home = tmp_path_factory.mktemp("strict-shop")
    with (
        stack.running(home, services=SERVICES, environment=LIMITS) as endpoints,
        ScenarioShop(endpoints) as shop,
    ):
        yield shop


@given("a shop that counts how often people try", target_fixture="trying")
def strict_shop(limited_shop: ScenarioShop) -> Trying:
    ida, email = limited_shop.shopper("Ida"), f"ida-{uuid.uuid4().hex}@shoppers.example"
    ida.register(email, PASSWORD)
    ida.log_in(email, PASSWORD)
    return Trying(limited_shop, ida, email, limited_shop.sell("pin", 100, 0))


@when(parsers.re(r"Ida orders (?P<times>\d+) times in a row"), converters={"times": int})
def orders_in_a_row(trying: Trying, times: int) -> None:
    trying.answers = [trying.order(trying.ida) for _ in range(times)]


@then(parsers.re(r"the first (?P<count>\d+) orders are taken"), converters={"count": int})
def first_are_taken(trying: Trying, count: int) -> None:
    assert [answer.status for answer in trying.answers[:count]] == [202] * count


@then("the last one is refused, and she is told how long to wait")
def last_is_refused(trying: Trying) -> None:
    last = trying.answers[-1]

    assert last.refusal == "too-many-orders"
    assert 0 < last.retry_after_s <= 60


@then("somebody else can still order")
def somebody_else_orders(trying: Trying) -> None:
    assert trying.order(trying.shop.shopper("Other")).status == 202


@when("somebody guesses Ida's password until they are stopped")
def guesses(trying: Trying) -> None:
    stranger = trying.shop.with_token("")
    for number in range(GUESSES_MAX):
        trying.answers.append(stranger.log_in(trying.email, f"guess number {number} of many"))
        if trying.answers[-1].refusal != "wrong-credentials":
            return


@then("they are told how long to wait")
def told_to_wait(trying: Trying) -> None:
    last = trying.answers[-1]

    assert last.refusal == "too-many-logins"
    assert last.retry_after_s > 0


@then("even the right password does not help them for now")
def right_password_does_not_help(trying: Trying) -> None:
    stranger = trying.shop.with_token("")

    assert stranger.log_in(trying.email, PASSWORD).refusal == "too-many-logins"
