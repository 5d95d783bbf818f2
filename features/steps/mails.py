"""Steps about who is written to, in which words, and who may see it."""

import uuid
from collections.abc import Mapping
from typing import Any

from harness.eventually import eventually
from harness.process.endpoints import Endpoints
from harness.shopper.client import Line
from harness.shopper.scenario_shop import ScenarioShop
from harness.shopper.shelf import Shelf
from harness.shopper.unreachable import refuse_for_good
from pytest_bdd import given, parsers, then, when

from steps.cart import Browser
from steps.identity import PASSWORD
from steps.order import GOOD_CARD, MAILS

WRITTEN_WITHIN_S = 15.0
# The first words of each language's confirmation.
THANKS = {"English": ("en", "Thank you"), "Spanish": ("es", "Gracias")}


@given(
    parsers.re(r'(?P<name>\w+) is a customer( with an address at "(?P<domain>[^"]+)")?$'),
    target_fixture="browser",
)
def is_a_customer(shop: ScenarioShop, name: str, domain: str | None) -> Browser:
    shopper = shop.shopper(name)
    email = f"{name.lower()}-{uuid.uuid4().hex}@{domain or 'shoppers.example'}"
    shopper.register(email, PASSWORD)
    shopper.log_in(email, PASSWORD)
    return Browser(shopper, shop.visitor(shopper), email=email)


@given("she wants her mails in Spanish")
def wants_spanish(browser: Browser) -> None:
    browser.visitor.prefer(language="es").expect()


@given("she wants no mail about what she cancels herself")
def wants_no_mail(browser: Browser) -> None:
    browser.visitor.prefer(requested_cancellations=False).expect()


@given("her address has refused our mails for good")
def has_refused(endpoints: Endpoints, browser: Browser) -> None:
    refuse_for_good(endpoints, browser.email)


@given("staff say that her address is well again")
def is_well_again(shop: ScenarioShop, browser: Browser) -> None:
    [suppression] = shop.staff.suppressions(browser.email).expect()["items"]
    shop.staff.write_again_to(suppression["id"]).expect()


@given(parsers.re(r'she has ordered 1 of "(?P<name>[^"]+)"$'), target_fixture="order_id")
@when(parsers.re(r'she orders 1 of "(?P<name>[^"]+)"$'), target_fixture="order_id")
def orders_one(shop: ScenarioShop, browser: Browser, shelf: Shelf, name: str) -> str:
    lines = [Line(shelf[name], 1)]
    order = browser.shopper.place_order(lines, email=browser.email, payment_method=GOOD_CARD)
    shop.settled(browser.shopper, order["id"])
    return str(order["id"])


@when(
    parsers.re(r'she orders 1 of "(?P<name>[^"]+)" and cancels at once'), target_fixture="order_id"
)
def orders_and_cancels(shop: ScenarioShop, browser: Browser, shelf: Shelf, name: str) -> str:
    lines = [Line(shelf[name], 1)]
    order = browser.shopper.place_order(lines, email=browser.email, payment_method=ASKING_CARD)
    browser.shopper.cancel(order["id"])
    shop.settled(browser.shopper, order["id"])
    return str(order["id"])


# A bank that asks leaves time to change one's mind.
ASKING_CARD = "pm_3ds_required"
# Written or not, as the bank is quicker than she is.
BANKS_QUESTION = MAILS["the bank's question"]


@then(parsers.re(r"she is written to once, in (?P<language>English|Spanish)"))
def is_written_to(shop: ScenarioShop, order_id: str, language: str) -> None:
    tag, thanks = THANKS[language]
    [mail] = eventually(lambda: shop.mails(order_id), WRITTEN_WITHIN_S, "a mail")
    read = shop.mail(mail["id"])

    assert (mail["deliveries"], dict(read["headers"])["Content-Language"]) == (1, tag)
    assert thanks in read["text"]


@then("no mail is sent to her about it")
def no_mail(shop: ScenarioShop, browser: Browser, order_id: str) -> None:
    noted = eventually(
        lambda: written(browser, order_id), WRITTEN_WITHIN_S, "what was decided about a mail"
    )

    assert {message["state"] for message in noted} == {"suppressed"}
    assert [mail["kind"] for mail in shop.mails(order_id) if mail["kind"] != BANKS_QUESTION] == []


def written(browser: Browser, order_id: str) -> list[Mapping[str, Any]]:
    """What the account shows as written, or decided not to be, of the order's end."""
    messages = browser.visitor.mails_about(order_id).body.get("messages", [])
    return [m for m in messages if m["state"] != "queued" and m["kind"] != BANKS_QUESTION]


@then("staff see why not")
def staff_see_why(shop: ScenarioShop, order_id: str) -> None:
    [message] = shop.staff.mails_about(order_id).expect()["messages"]

    assert message["reason"], message


@when("staff send her the mail again")
def send_again(shop: ScenarioShop, browser: Browser, order_id: str) -> None:
    [message] = eventually(lambda: written(browser, order_id), WRITTEN_WITHIN_S, "a mail")
    shop.staff.send_again(message["id"]).expect()


@then("it arrives a second time, as the same mail")
def arrives_again(shop: ScenarioShop, order_id: str) -> None:
    def twice() -> bool:
        return [mail["deliveries"] for mail in shop.mails(order_id)] == [2]

    eventually(twice, WRITTEN_WITHIN_S, "the same mail a second time")


@then("she finds the confirmation in her account")
def finds_confirmation(browser: Browser, order_id: str) -> None:
    noted = eventually(lambda: written(browser, order_id), WRITTEN_WITHIN_S, "a mail")

    assert [(m["kind"], m["state"]) for m in noted] == [("order_confirmation", "sent")]


@then("somebody else does not")
def somebody_else_does_not(shop: ScenarioShop, order_id: str) -> None:
    other = shop.visitor(shop.shopper("Eve"))

    assert other.mails_about(order_id).status == 404
