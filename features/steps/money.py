"""Steps about what the payment provider has in its own book."""

from decimal import Decimal

from harness.shopper.scenario_shop import ScenarioShop
from pytest_bdd import parsers, then

from steps.order import Checkout


@then(
    parsers.re(r"the payment provider has captured (?P<amount>[\d.]+)"),
    converters={"amount": Decimal},
)
def has_captured(shop: ScenarioShop, checkout: Checkout, amount: Decimal) -> None:
    payments = shop.payments(checkout.order_id)

    assert [payment["captured_minor"] for payment in payments] == [int(amount * 100)]


@then("the payment provider has captured nothing")
def has_captured_nothing(shop: ScenarioShop, checkout: Checkout) -> None:
    payments = shop.payments(checkout.order_id)

    assert [(payment["status"], payment["captured_minor"]) for payment in payments] == [
        ("declined", 0)
    ]


@then("the payment provider has captured nothing, and holds nothing")
def holds_nothing(shop: ScenarioShop, checkout: Checkout) -> None:
    assert shop.payments(checkout.order_id), "it was never asked"
    holds_nothing_if_asked(shop, checkout)


@then("the payment provider holds nothing, whether it was asked before she cancelled or not")
def holds_nothing_if_asked(shop: ScenarioShop, checkout: Checkout) -> None:
    payments = shop.payments(checkout.order_id)

    assert all(payment["captured_minor"] == 0 for payment in payments)
    assert {payment["status"] for payment in payments} <= {"voided", "declined"}


@then("the payment provider knows nothing of it")
def knows_nothing(shop: ScenarioShop, checkout: Checkout) -> None:
    assert shop.payments(checkout.order_id) == []
