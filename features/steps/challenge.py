"""Steps about a bank that wants to hear from the customer: 3-D Secure."""

from harness.eventually import eventually
from pytest_bdd import parsers, when

from steps.order import Checkout, orders

ASKING_CARDS = {
    "a card that asks her bank": "pm_3ds_required",
    "a card whose bank tells everything twice": "pm_3ds_webhook_twice",
}
ASKED_WITHIN_S = 15.0


@when(parsers.re(r"she orders with (?P<card>a card (that asks her bank|whose bank .+))"))
def orders_with_asking_card(checkout: Checkout, card: str) -> None:
    checkout.card = ASKING_CARDS[card]
    orders(checkout)


@when("her bank asks", target_fixture="challenge_url")
def bank_asks(checkout: Checkout) -> str:
    def url() -> str | None:
        action = checkout.shopper.order(checkout.order_id)["next_action"]
        return action["url"] if action else None

    found = eventually(url, ASKED_WITHIN_S, "the bank's question")
    assert found is not None
    return found


@when(parsers.re(r"her bank asks and she (?P<answer>approves|refuses)"))
def answers_her_bank(checkout: Checkout, answer: str) -> None:
    url = bank_asks(checkout)
    checkout.shopper.answer_challenge(url, approve=answer == "approves")
