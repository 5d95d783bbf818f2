"""Steps about the causal flow of a checkout, read from its trace through the Jaeger API.

Each looks at the checkout when it is over and all of it is stored; see docs/trace-assertions.md.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.proof.flow import Flow
from harness.proof.flows import Proof
from harness.shopper.scenario_shop import ScenarioShop
from pytest_bdd import parsers, then, when

from steps.controls import Controls
from steps.order import Checkout, orders

FLOWS = Path(__file__).parent.parent / "flows"
# What people call the attributes of a fact.
SAYINGS = {"kind of news": "app.event.type", "told on": "messaging.destination.name"}

See = Callable[[], Flow]


@pytest.fixture(scope="session")
def proof(shop: ScenarioShop) -> Iterator[Proof]:
    with Proof(shop) as proof:
        yield proof


@pytest.fixture(scope="session")
def controls(shop: ScenarioShop, proof: Proof) -> Controls:
    return Controls(shop, proof)


@pytest.fixture
def see(proof: Proof, checkout: Checkout, request: pytest.FixtureRequest) -> Iterator[See]:
    """The checkout's flow as it is now; what the look cost goes into the report."""
    before = len(proof.costs)
    yield lambda: proof.flow(checkout.trace_id)
    costs = proof.costs[before:]
    for name in ("working_ms", "waiting_ms", "spans"):
        total = sum(getattr(cost, name) for cost in costs)
        request.node.user_properties.append((f"trace_proof_{name}", round(total, 1)))


@when("she orders while the payment provider stumbles once")
def orders_from_a_stumbling_provider(checkout: Checkout) -> None:
    checkout.card = "pm_500_then_ok"
    orders(checkout)


@then(parsers.re(r"(her|his) checkout is one whole trace"), target_fixture="flow")
def is_one_whole_trace(see: See) -> Flow:
    flow = see()
    flow.assert_whole()
    return flow


@then("each of these happened because of the one before")
def happened_because(see: See, datatable: list[list[str]]) -> None:
    see().assert_caused_in_order([row[0] for row in datatable])


@then("each of these happened")
def all_happened(see: See, datatable: list[list[str]]) -> None:
    for (word,) in datatable:
        see().assert_happened(word)


@then("none of these ever happened, though they do in other checkouts")
def none_happened(see: See, controls: Controls, datatable: list[list[str]]) -> None:
    flow = see()
    for (word,) in datatable:
        flow.assert_never(word, controls.of(word))


@then("these happened as many times as it says")
def happened_so_often(see: See, datatable: list[list[str]]) -> None:
    for word, times in datatable:
        see().assert_times(word, int(times))


@then("all of these are a part of it")
def are_a_part(see: See, datatable: list[list[str]]) -> None:
    see().assert_one_trace([row[0] for row in datatable])


@then(
    parsers.re(
        r'within (?P<seconds>\d+) seconds? after "(?P<first>.+)", "(?P<last>.+)"',
    ),
    converters={"seconds": float},
)
def happened_within(see: See, seconds: float, first: str, last: str) -> None:
    see().assert_within(seconds, first, last)


@then(parsers.re(r'the news that "(?P<word>.+)" says'))
def the_news_says(see: See, word: str, datatable: list[list[str]]) -> None:
    see().assert_attributes(word, {SAYINGS[name]: value for name, value in datatable})


@then("nothing happened in it without a cause")
def has_no_orphan(see: See) -> None:
    see().assert_no_orphan()


@then("nothing in it failed but this")
def failed_only(see: See, datatable: list[list[str]]) -> None:
    see().assert_failed_only([(service, step) for service, step in datatable])


@then("nobody wrote a card number down")
def no_card_number(see: See) -> None:
    see().assert_no_card_data()


@then("every event took effect once at each of its consumers")
def took_effect_once(see: See) -> None:
    see().assert_effects_once()


@then("nothing in the trace failed, and it holds no card data")
def nothing_failed(see: See) -> None:
    see().assert_clean()


@then("payment took no part in it, though it does in others")
def payment_took_no_part(see: See, controls: Controls) -> None:
    flow = see()
    controls.of("the payment was authorized").assert_took_part("payment", "payment-provider")
    flow.assert_took_no_part("payment", "payment-provider")


@pytest.fixture(scope="session")
def this_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run of pytest share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@then(parsers.re(r'it went the way we know as "(?P<name>.+)"'))
def went_the_known_way(see: See, name: str, request: pytest.FixtureRequest, this_run: Path) -> None:
    file = FLOWS / f"{name.replace(' ', '_')}.txt"
    if request.config.getoption("--write-flows"):
        see().write_shape(file, name, this_run)
    see().assert_shape(file.read_text() if file.exists() else "", name)
