"""Steps about what providers and banks do beside paying, and about money that staff give back."""

from harness.eventually import eventually
from harness.shopper.scenario_shop import ScenarioShop
from harness.shopper.shelf import minor
from pytest_bdd import parsers, then, when

from steps.order import Checkout, orders

PAID_BACK_WITHIN_S = 20.0
# What a provider does with whoever pays by such a card.
TROUBLES = {
    "charges and does not say so": "pm_timeout_after_charge",
    "does not answer the first time": "pm_timeout_without_charge",
    "says everything twice": "pm_webhook_twice",
    "says everything in the wrong order": "pm_webhook_out_of_order",
    "never says anything by itself": "pm_webhook_never",
}


@when(parsers.re(r"she orders with a card whose provider (?P<trouble>.+)"))
def orders_from_troubled_provider(checkout: Checkout, trouble: str) -> None:
    checkout.card = TROUBLES[trouble]
    orders(checkout)


@when("she orders with a card that asks her bank, which then refuses")
def orders_with_refusing_bank(checkout: Checkout) -> None:
    checkout.card = "pm_3ds_then_declined"
    orders(checkout)


@when(parsers.re(r"staff give her (?P<amount>[\d.]+) back as a gesture"))
def give_back(shop: ScenarioShop, checkout: Checkout, amount: str) -> None:
    shop.staff.refund(checkout.order_id, minor(amount), "a gesture").expect()


@then(parsers.re(r"her order says that (?P<amount>[\d.]+) came back"))
def came_back(shop: ScenarioShop, checkout: Checkout, amount: str) -> None:
    def refunded() -> bool:
        order = checkout.shopper.order(checkout.order_id)
        return bool(order["refunded_minor"] == minor(amount))

    eventually(refunded, PAID_BACK_WITHIN_S, f"{amount} back")
    assert [p["refunded_minor"] for p in shop.payments(checkout.order_id)] == [minor(amount)]


@then("staff cannot give back more than she paid")
def cannot_give_more(shop: ScenarioShop, checkout: Checkout) -> None:
    paid = checkout.shopper.order(checkout.order_id)["total_minor"]

    assert shop.staff.refund(checkout.order_id, paid, "too much").refusal == "refund-too-large"
