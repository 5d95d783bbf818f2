"""Steps about processes that die, or stand still, and come again."""

from collections.abc import Mapping

import pytest
from harness.eventually import eventually
from harness.faults.planter import Faults
from harness.faults.rules import Fault, Operation
from harness.process import control
from harness.providers.choice import Capability
from harness.shopper.scenario_shop import ScenarioShop
from one_shop import need
from pytest_bdd import given, parsers, when

from steps.faults import BACK_WITHIN_S, NEWS, TOPOLOGY, Planted

# Of SNS and SQS, in a stack of ours.
EMULATOR = "emulator"

# At which of its steps who tells news dies, and before or after it is done; and who hears it.
TELLING: Mapping[str, tuple[Operation, bool]] = {
    "about to tell it": (Operation.PUBLISH, False),
    "having just told it": (Operation.PUBLISH, True),
}
HEARING: Mapping[str, tuple[Operation, bool]] = {
    "being handed it": (Operation.RECEIVE, False),
    "done with it, before it can say so": (Operation.DELETE, False),
}


@given(parsers.re(r"whoever tells that (?P<news>.+) dies (?P<moment>about to .+|having .+)"))
def teller_dies(faults: Faults, planted: Planted, news: str, moment: str) -> None:
    [topic] = [topic for topic, types in TOPOLOGY.topics.items() if NEWS[news] in types]
    [teller] = [name for name, service in TOPOLOGY.services.items() if service.topic == topic]
    _dies(faults, planted, teller, news, TELLING[moment], topic)


@given(parsers.re(r"whoever hears that (?P<news>.+) dies (?P<moment>being .+|done .+)"))
def hearers_die(faults: Faults, planted: Planted, news: str, moment: str) -> None:
    for hearer in sorted(TOPOLOGY.consumers[NEWS[news]]):
        queue = TOPOLOGY.services[hearer].queue
        assert queue is not None
        _dies(faults, planted, hearer, news, HEARING[moment], queue)


def _dies(
    faults: Faults,
    planted: Planted,
    service: str,
    news: str,
    moment: tuple[Operation, bool],
    place: str,
) -> None:
    name, (operation, afterwards) = f"{service}-worker", moment
    planted.died[name] = control.find(faults.home, name).pid
    faults.kill_at(name, operation, NEWS[news], afterwards=afterwards)
    planted.entries.append((Fault.KILL_AFTER if afterwards else Fault.KILL_BEFORE, 1, place))


@given(parsers.re(r"the (?P<name>[\w-]+) has just died"))
def dies(faults: Faults, planted: Planted, name: str, pytestconfig: pytest.Config) -> None:
    if name == EMULATOR:
        need(pytestconfig, Capability.LASTING_MESSAGES)
    planted.died[name] = control.find(faults.home, name).pid
    faults.kill(name)


@given(parsers.re(r"the (?P<name>[\w-]+) stands still"))
def stands_still(faults: Faults, name: str) -> None:
    faults.pause(name)


@when("the stock is reserved for her")
def stock_is_reserved(shop: ScenarioShop, sku: str) -> None:
    eventually(lambda: shop.stock(sku)["reserved"], BACK_WITHIN_S, "stock reserved")


@when(parsers.re(r"the (?P<name>[\w-]+) goes on"))
def goes_on(faults: Faults, name: str) -> None:
    faults.go_on(name)
