"""Steps about a bank that wants to hear from the customer: 3-D Secure."""

from harness.eventually import eventually
from harness.shopper.scenario_shop import ScenarioShop
from pytest_bdd import parsers, when

from steps.order import MAILS, Checkout, orders

ASKING_CARDS = {
    "a card that asks her bank": "pm_3ds_required",
    "a card whose bank tells everything twice": "pm_3ds_webhook_twice",
}
# A worker that dies with it in hand has it back after 15 s; its mail, after 25 s.
ASKED_WITHIN_S = 60.0


@when(parsers.re(r"she orders with (?P<card>a card (that asks her bank|whose bank .+))"))
def orders_with_asking_card(checkout: Checkout, card: str) -> None:
    checkout.card = ASKING_CARDS[card]
    orders(checkout)


@when("her bank asks", target_fixture="challenge_url")
def bank_asks(shop: ScenarioShop, checkout: Checkout) -> str:
    """On the order's page, and by mail, which is not sent any more once it is decided."""

    def url() -> str | None:
        action = checkout.shopper.order(checkout.order_id)["next_action"]
        return action["url"] if action else None

    found = eventually(url, ASKED_WITHIN_S, "the bank's question")
    assert found is not None
    eventually(lambda: _is_written(shop, checkout.order_id), ASKED_WITHIN_S, "its mail")
    return found


def _is_written(shop: ScenarioShop, order_id: str) -> bool:
    messages = shop.staff.mails_about(order_id).body.get("messages", [])
    return (MAILS["the bank's question"], "sent") in {(m["kind"], m["state"]) for m in messages}


@when(parsers.re(r"her bank asks and she (?P<answer>approves|refuses)"))
def answers_her_bank(shop: ScenarioShop, checkout: Checkout, answer: str) -> None:
    url = bank_asks(shop, checkout)
    checkout.shopper.answer_challenge(url, approve=answer == "approves")
