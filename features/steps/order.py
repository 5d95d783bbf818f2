"""Steps about placing, cancelling and looking at an order."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from harness.eventually import eventually
from harness.proof.flows import Proof
from harness.shopper.client import Line, Shopper, ShopRefused
from harness.shopper.scenario_shop import ScenarioShop
from pytest_bdd import given, parsers, then, when

CARDS = {
    "declined": "pm_declined",
    "expired": "pm_expired_card",
    "short of money": "pm_insufficient_funds",
    "slow": "pm_slow",
    "lost": "pm_lost_card",
    "stolen": "pm_stolen_card",
    "fraudulent": "pm_fraudulent",
}
GOOD_CARD = "pm_ok"
# A worker that is killed may have claimed it for 25 s.
MAIL_WITHIN_S = 40.0
MAILS = {
    "confirmation": "order_confirmation",
    "cancellation": "order_cancellation",
    "the bank's question": "action_required",
    "refund": "refund",
}


@dataclass
class Checkout:
    """What the scenario's one shopper does and was told."""

    shopper: Shopper
    lines: list[Line]
    trace_id: str = ""
    key: str = "the-only-key"
    card: str = GOOD_CARD
    answers: list[dict[str, Any]] = field(default_factory=list)
    # Set once there is an order: asks for the cancellation, in the trace of the checkout.
    cancel: Callable[[], dict[str, Any]] = field(init=False)

    @property
    def order_id(self) -> str:
        return str(self.answers[0]["id"])

    def place(self) -> dict[str, Any]:
        email = f"{self.shopper.name.lower()}@shoppers.example"
        answer = self.shopper.place_order(
            self.lines, email=email, payment_method=self.card, key=self.key
        )
        self.answers.append(answer)
        return answer


@given(
    parsers.re(r"(?P<name>\w+) has (?P<quantity>\d+) of it in (her|his) cart"),
    target_fixture="checkout",
    converters={"quantity": int},
)
def has_in_cart(shop: ScenarioShop, sku: str, name: str, quantity: int) -> Checkout:
    shopper = shop.shopper(name)
    lines = [Line(sku, quantity)]
    shopper.fill_cart(lines)
    return Checkout(shopper, lines)


@given(parsers.re(r"(she|he) orders with a good card"))
@when(parsers.re(r"(she|he) orders with a good card"))
def orders(checkout: Checkout) -> None:
    with checkout.shopper.checkout() as checkout.trace_id:
        checkout.place()
        checkout.cancel = checkout.shopper.in_this_trace(
            lambda: checkout.shopper.cancel(checkout.order_id)
        )


@when(parsers.re(r"(she|he) orders with a card that is (?P<kind>.+)"))
def orders_with(checkout: Checkout, kind: str) -> None:
    checkout.card = CARDS[kind]
    orders(checkout)


@when(
    parsers.re(r"he orders (?P<times>\d+) times at once with the same key and a good card"),
    converters={"times": int},
)
def orders_at_once(checkout: Checkout, times: int) -> None:
    with checkout.shopper.checkout() as checkout.trace_id, ThreadPoolExecutor(times) as hands:
        place = checkout.shopper.in_this_trace(checkout.place)
        for click in [hands.submit(place) for _ in range(times)]:
            click.result()


@when("he sends the same order again")
def sends_again(checkout: Checkout) -> None:
    checkout.place()


@when("she cancels at once")
def cancels(checkout: Checkout) -> None:
    checkout.cancel()


@given(parsers.re(r"(her|his) order is confirmed"))
@when(parsers.re(r"(her|his) order is confirmed"))
@then(parsers.re(r"(her|his) order is confirmed"))
def is_confirmed(shop: ScenarioShop, checkout: Checkout) -> None:
    order = shop.settled(checkout.shopper, checkout.order_id)

    assert order["status"] == "confirmed", order


@then(parsers.re(r"(her|his) order is cancelled, because (?P<reason>.+)"))
def is_cancelled(shop: ScenarioShop, checkout: Checkout, reason: str) -> None:
    reasons = {
        "it is out of stock": "out_of_stock",
        "the payment was declined": "payment_declined",
        "she asked for it": "customer_cancelled",
    }

    order = shop.settled(checkout.shopper, checkout.order_id)

    assert (order["status"], order["cancel_reason"]) == ("cancelled", reasons[reason])


@then("it can no longer be cancelled")
def cannot_be_cancelled(checkout: Checkout) -> None:
    with pytest.raises(ShopRefused) as refused:
        checkout.shopper.cancel(checkout.order_id)

    assert refused.value.type == "not-cancellable"


@then("all answers are the same order")
def same_answers(checkout: Checkout) -> None:
    assert len(checkout.answers) > 1
    assert all(answer == checkout.answers[0] for answer in checkout.answers)


@then("the same key for another order is refused")
def another_order_is_refused(checkout: Checkout) -> None:
    checkout.lines = [Line(checkout.lines[0].sku, checkout.lines[0].quantity + 1)]

    with pytest.raises(ShopRefused) as refused:
        checkout.place()

    assert refused.value.type == "idempotency-key-reused"


@then(parsers.re(r"(she|he) gets one mail, a (?P<kind>confirmation|cancellation)"))
def gets_one_mail(shop: ScenarioShop, proof: Proof, checkout: Checkout, kind: str) -> None:
    gets_these_mails(shop, proof, checkout, [[kind]])


@then(parsers.re(r"(she|he) gets these mails, and no other"))
def gets_these_mails(
    shop: ScenarioShop, proof: Proof, checkout: Checkout, datatable: list[list[str]]
) -> None:
    expected = [MAILS[row[0]] for row in datatable]
    shop.settled(checkout.shopper, checkout.order_id)
    eventually(
        lambda: len(shop.mails(checkout.order_id)) >= len(expected),
        MAIL_WITHIN_S,
        f"{len(expected)} mails",
    )
    eventually(  # Else one more may be on its way.
        lambda: not proof.stirs(checkout.trace_id), MAIL_WITHIN_S, "an end of what it set in motion"
    )

    assert [mail["kind"] for mail in shop.mails(checkout.order_id)] == expected


@then("her cart is empty")
def cart_is_empty(checkout: Checkout) -> None:
    eventually(lambda: not checkout.shopper.cart()["lines"], MAIL_WITHIN_S, "an empty cart")
