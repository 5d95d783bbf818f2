"""Steps about the causal flow of a checkout, read from its trace through the Jaeger API."""

import pytest
from harness.client import Line
from harness.flow import Flow, whole
from harness.stage import Stage
from pytest_bdd import parsers, then

from steps.order import GOOD_CARD, Checkout


@then(parsers.re(r"(her|his) checkout is one whole trace"), target_fixture="flow")
def is_one_whole_trace(stage: Stage, checkout: Checkout) -> Flow:
    order = stage.settled(checkout.shopper, checkout.order_id)
    return whole(stage.traces, checkout.trace_id, order, stage.consumers)


@then("each of these happened because of the one before")
def happened_because(flow: Flow, datatable: list[list[str]]) -> None:
    flow.assert_caused_in_order([row[0] for row in datatable])


@then("every event took effect once at each of its consumers")
def took_effect_once(flow: Flow) -> None:
    flow.assert_effects_once()


@then("nothing in the trace failed, and it holds no card data")
def nothing_failed(flow: Flow) -> None:
    flow.assert_clean()


@then("payment took no part in it, though it does in others")
def payment_took_no_part(flow: Flow, paid_flow: Flow) -> None:
    paid_flow.assert_took_part("payment", "payment-provider")
    flow.assert_took_no_part("payment", "payment-provider")


@pytest.fixture(scope="session")
def paid_flow(stage: Stage) -> Flow:
    """The positive control of every "never": a checkout in which payment is seen at work."""
    checkout = Checkout(stage.shopper("Control"), [Line(stage.sell("control", 100, 1), 1)])
    checkout.card = GOOD_CARD
    with checkout.shopper.checkout() as checkout.trace_id:
        checkout.place()
    order = stage.settled(checkout.shopper, checkout.order_id)
    return whole(stage.traces, checkout.trace_id, order, stage.consumers)
