"""Steps about letters that nobody can read: kept aside, set right, sent back."""

from harness.eventually import eventually
from harness.faults import letters
from harness.process.endpoints import Endpoints
from harness.shopper.scenario_shop import ScenarioShop
from harness.topology.redrive import DeadLetter
from pytest_bdd import given, parsers, then, when

KEPT_WITHIN_S = 30.0
# As the common library calls what is no event.
REASON = "MalformedEvent"


def inbox(reader: str) -> str:
    return f"{reader}-inbox"


def kept_by(endpoints: Endpoints, reader: str) -> list[DeadLetter]:
    return eventually(
        lambda: letters.kept_aside(endpoints).get(inbox(reader), []),
        KEPT_WITHIN_S,
        f"a letter kept aside by {reader}",
    )


@given(parsers.re(r"somebody has put nonsense into the letter box of (?P<reader>\w+)"))
def nonsense(endpoints: Endpoints, reader: str) -> None:
    letters.put_nonsense(endpoints, inbox(reader))


@then(parsers.re(r"the nonsense is kept aside by (?P<reader>\w+), with its reason"))
def is_kept_aside(endpoints: Endpoints, reader: str) -> None:
    [letter] = kept_by(endpoints, reader)

    assert letter.body == letters.NONSENSE
    assert letter.reason.startswith(REASON)


@then("it is kept aside again when it is sent back")
def kept_aside_again(endpoints: Endpoints) -> None:
    [queue] = letters.kept_aside(endpoints)
    assert letters.send_back(endpoints, queue) == 1

    [letter] = kept_by(endpoints, queue.removesuffix("-inbox"))

    assert letter.body == letters.NONSENSE
    letters.throw_away(endpoints, queue)


@when("every reader of it has kept it aside, with its reason")
def all_have_kept_it(endpoints: Endpoints, shop: ScenarioShop) -> None:
    for reader in sorted(shop.consumers["order.confirmed"]):
        [letter] = kept_by(endpoints, reader)
        assert (letter.event_type, letter.reason[: len(REASON)]) == ("order.confirmed", REASON)


@when("somebody sets it right and sends it back")
def set_right(endpoints: Endpoints) -> None:
    for queue in letters.kept_aside(endpoints):
        assert letters.set_right(endpoints, queue) == 1
        assert letters.send_back(endpoints, queue) == 1
