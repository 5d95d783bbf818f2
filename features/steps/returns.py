"""Steps about goods that come back, and the money for them."""

import uuid
from decimal import Decimal
from typing import Any

import pytest
from harness.eventually import eventually
from harness.proof.flows import Proof
from harness.shopper.client import Line, ShopRefused
from harness.shopper.scenario_shop import ScenarioShop
from pytest_bdd import parsers, then, when

from steps.order import Checkout

PAID_BACK_WITHIN_S = 60.0


@when(
    parsers.re(r"she wants to return (?P<quantity>\d+) of it"),
    converters={"quantity": int},
    target_fixture="returned",
)
def wants_to_return(checkout: Checkout, sku: str, quantity: int) -> dict[str, Any]:
    """The return as the shop shows it, and as `trace_id` the trace it was wished in."""
    lines, key = [Line(sku, quantity)], str(uuid.uuid4())
    with checkout.shopper.checkout() as trace_id:
        wished = checkout.shopper.take_back(checkout.order_id, lines, reason="unwanted", key=key)
    return {**wished, "trace_id": trace_id}


@when("staff take the goods in")
def take_in(shop: ScenarioShop, checkout: Checkout, returned: dict[str, Any]) -> None:
    shop.take_in(checkout.order_id, returned["id"])


@then(
    parsers.re(r"(?P<amount>[\d.]+) are paid back to her(, for that return alone)?"),
    converters={"amount": Decimal},
)
def are_paid_back(
    shop: ScenarioShop, checkout: Checkout, returned: dict[str, Any], amount: Decimal
) -> None:
    ended = _settled(checkout, returned["id"])

    [payment] = shop.payments(checkout.order_id)
    assert payment["refunded_minor"] == int(amount * 100) == ended["refunded_minor"]
    assert ended["refunded_minor"] == ended["amount_minor"]


@then(
    parsers.re(r"(?P<paid>[\d.]+) of (?P<asked>[\d.]+) are paid back for it"),
    converters={"paid": Decimal, "asked": Decimal},
)
def are_paid_back_for_it(
    shop: ScenarioShop, checkout: Checkout, returned: dict[str, Any], paid: Decimal, asked: Decimal
) -> None:
    ended = _settled(checkout, returned["id"])

    assert ended["refunded_minor"] == int(paid * 100)
    assert ended["amount_minor"] == int(asked * 100)

    def all_went_back() -> bool:  # The gesture, which the return does not wait for, too.
        [payment] = shop.payments(checkout.order_id)
        return bool(payment["refunded_minor"] == payment["captured_minor"])

    eventually(all_went_back, PAID_BACK_WITHIN_S, "all the money paid back")


def _settled(checkout: Checkout, return_id: str) -> dict[str, Any]:
    """The return, once money and shelf have answered."""

    def settled() -> dict[str, Any]:
        found = {one["id"]: one for one in checkout.shopper.returns(checkout.order_id)}
        ours = found[return_id]
        return ours if ours["status"] == "refunded" and ours["restocked"] else {}

    return eventually(settled, PAID_BACK_WITHIN_S, "the return to be settled")


@then(parsers.re(r"she cannot return (?P<quantity>\d+) more of it"), converters={"quantity": int})
def cannot_return(checkout: Checkout, sku: str, quantity: int) -> None:
    with pytest.raises(ShopRefused) as refused:
        wants_to_return(checkout, sku, quantity)

    assert refused.value.type == "return-too-large"


@then("nothing is paid back yet")
def nothing_is_paid_back(
    shop: ScenarioShop, proof: Proof, checkout: Checkout, returned: dict[str, Any]
) -> None:
    proof.flow(returned["trace_id"])  # All that the wish has set in motion is over.
    [found] = checkout.shopper.returns(checkout.order_id)
    [payment] = shop.payments(checkout.order_id)

    assert found["status"] == "requested"
    assert payment["refunded_minor"] == 0
