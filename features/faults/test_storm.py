"""A storm of the simulator on this shop: it holds, all of it happened, and a bug is no weather."""

from pathlib import Path

import pytest
from harness.audit.tables import read_tables
from harness.eventually import eventually
from harness.faults import letters
from harness.faults.planter import Faults
from harness.faults.rules import Fault
from harness.shopper.scenario_shop import ScenarioShop
from harness.topology import messaging, redrive
from simulating import simulate, violations
from simulators.checkout.results import Plan
from simulators.checkout.weather.choice import SPARED
from simulators.checkout.weather.plan import Planned, Weather

pytestmark = pytest.mark.xdist_group("storm")

# Three seconds of shoppers, of every persona.
PLAN = Plan(journey="sample", baskets=30, speed=4_000.0, concurrency=8, seed=618, command="test")
PAID_FOR = "stock.reserved"
SQUALL = Weather(
    name="squall",
    faults=[
        Planned(kind="poison", at=0.0, queue="cart-inbox"),
        Planned(kind="publish-drop", at=0.0, event="order.placed"),
        Planned(kind="publish-garble", at=0.0, event="order.confirmed"),
        Planned(kind="receive-duplicate", at=0.0, event=PAID_FOR),
        Planned(kind="http-lose-answer", at=0.0, place="order", request="POST /orders"),
        Planned(kind="http-reset", at=0.0, place="auth", request="POST /guest-tokens"),
        Planned(kind="kill-before-delete", at=0.1, process="payment-worker", event=PAID_FOR),
        Planned(kind="http-too-many", at=0.1, place="cart", request="PUT /cart"),
        Planned(kind="http-unavailable", at=0.1, place="catalog", request="POST /quotes"),
        Planned(kind="freeze", at=0.2, process="notification-worker", for_s=4),
        Planned(kind="http-delay", at=0.2, place="order", request="GET /orders/.*"),
        Planned(kind="kill", at=0.3, process="order-web"),
        Planned(kind="line-down", at=0.3, place="redis", for_s=1),
        Planned(kind="restart", at=0.4, process="emulator"),
        Planned(kind="database-cut", at=0.5),
        Planned(kind="commit-refused", at=0.0, for_s=60, place="order.orders"),
        Planned(kind="commit-refused", at=0.4, for_s=60, place="payment.inbox"),
        Planned(kind="cache-empty", at=0.6),
    ],
)


def test_checkouts_come_right_in_a_storm_of_which_all_happened(
    shop: ScenarioShop, tmp_path: Path
) -> None:
    spared = SPARED.get(shop.endpoints.provider, ())
    weather = SQUALL.model_copy(
        update={"faults": [fault for fault in SQUALL.faults if fault.process not in spared]}
    )

    result = simulate(PLAN, shop, tmp_path, weather)

    assert violations(result) == []
    assert result.holds
    assert [f"{one.kind} {one.target}: {one.why_not}" for one in result.toll.missed] == []
    assert [outcome for outcome in result.outcomes if outcome.startswith("unknown")] == []
    assert result.excused == 0, "every trace was judged"


def test_what_nobody_refused_is_sent_back_after_a_storm_and_what_was_refused_is_not(
    shop: ScenarioShop, faults: Faults, tmp_path: Path
) -> None:
    """SQS puts a message aside after five receives, without a reason: their receivers had died."""
    simulate(PLAN, shop, tmp_path)
    endpoints = faults.endpoints
    event = read_tables(endpoints.auditor_dsn).outboxes["order"][0]
    attributes = {
        name: {"DataType": "String", "StringValue": event[name]}
        for name in ("event_id", "event_type")
    }
    reason = {redrive.REASON: {"DataType": "String", "StringValue": "IllegalTransition"}}
    sqs = messaging.sqs(endpoints.aws_endpoint_url)
    for more in ({}, reason):
        sqs.send_message(
            QueueUrl=endpoints.dead_letter_queue_urls["cart-inbox"],
            MessageBody="as it was sent",
            MessageAttributes={**attributes, **more},
        )

    assert letters.clear_up(endpoints, ()) == 1

    def reasons() -> list[str]:
        aside = letters.kept_aside(endpoints)["cart-inbox"]
        return sorted(letter.reason.partition(":")[0] for letter in aside)

    # The one was refused before; the other has now been looked at, and is no event.
    eventually(lambda: reasons() == ["IllegalTransition", "MalformedEvent"], 20, "both refused")
    letters.throw_away(endpoints, "cart-inbox")


def test_what_a_storm_did_not_lose_is_missed_in_the_next_run(
    shop: ScenarioShop, faults: Faults, tmp_path: Path
) -> None:
    """The post loses what no weather planned: nobody has told the audit, so it is a bug."""
    faults.spoil(Fault.DROP, "payment.captured")

    result = simulate(PLAN, shop, tmp_path)

    faults.assert_happened(Fault.DROP)
    assert [line for line in violations(result) if "payment.captured never reached" in line]
