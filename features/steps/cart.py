"""Steps about carts before anything is bought."""

import uuid
from dataclasses import dataclass, field

from harness.eventually import eventually
from harness.shopper.caller import Answer
from harness.shopper.client import Shopper
from harness.shopper.scenario_shop import ScenarioShop
from harness.shopper.shelf import Shelf, minor
from harness.shopper.visitor import Visitor
from pytest_bdd import given, parsers, then, when

from steps.identity import PASSWORD
from steps.shopping import SEEN_WITHIN_S


@dataclass
class Browser:
    """One person at the shelves. etags: of the cart as their windows show it."""

    shopper: Shopper
    visitor: Visitor
    etags: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    email: str = ""

    def contents(self, shelf: Shelf) -> dict[str, int]:
        lines = self.visitor.cart().expect()["lines"]
        called = {sku: name for name, sku in shelf.skus.items()}
        return {called[line["sku"]]: line["quantity"] for line in lines}


@given(parsers.re(r"(?P<name>\w+) looks around"), target_fixture="browser")
def looks_around(shop: ScenarioShop, name: str) -> Browser:
    shopper = shop.shopper(name)
    return Browser(shopper, shop.visitor(shopper))


@given(
    parsers.re(r'she puts (?P<quantity>\d+) of "(?P<name>.+)" into her cart'),
    converters={"quantity": int},
)
@when(
    parsers.re(r'she puts (?P<quantity>\d+) of "(?P<name>.+)" into her cart'),
    converters={"quantity": int},
)
def puts_in(browser: Browser, shelf: Shelf, name: str, quantity: int) -> None:
    browser.visitor.set_line(shelf[name], quantity).expect()


@when(parsers.re(r'she takes "(?P<name>.+)" out'))
def takes_out(browser: Browser, shelf: Shelf, name: str) -> None:
    browser.visitor.take_out(shelf[name]).expect()


@when(parsers.re(r'she clicks once on one more "(?P<name>.+)", and it is sent twice'))
def clicks_once(browser: Browser, shelf: Shelf, name: str) -> None:
    key = str(uuid.uuid4())
    for _ in range(2):
        browser.visitor.add(shelf[name], 1, key=key).expect()


@when(parsers.re(r'she wants one more "(?P<name>.+)"'))
def wants_one_more(browser: Browser, shelf: Shelf, name: str) -> None:
    browser.answers.append(browser.visitor.add(shelf[name], 1, key=str(uuid.uuid4())))


@then("she is told that there is no room for more")
def no_room_for_more(browser: Browser) -> None:
    assert browser.answers[-1].refusal == "quantity-too-large"


@given("she has two windows open on her cart")
def two_windows(browser: Browser) -> None:
    browser.etags = [browser.visitor.cart().etag for _ in range(2)]


@when(
    parsers.re(
        r'she puts (?P<quantity>\d+) of "(?P<name>.+)" into her cart in the (?P<which>one|other)'
    ),
    converters={"quantity": int},
)
def puts_in_window(browser: Browser, shelf: Shelf, name: str, quantity: int, which: str) -> None:
    etag = browser.etags[("one", "other").index(which)]
    browser.answers.append(browser.visitor.set_line(shelf[name], quantity, etag=etag))


@then("the other window is told to look again")
def told_to_look_again(browser: Browser) -> None:
    assert [answer.refusal for answer in browser.answers] == ["", "version-mismatch"]


@when(
    parsers.re(
        r'she signs in to her account, which has 1 of "(?P<one>.+)" and 1 of "(?P<other>.+)"'
        r" in its cart"
    )
)
def signs_in_to_account(
    shop: ScenarioShop, browser: Browser, shelf: Shelf, one: str, other: str
) -> None:
    guest_token, email = browser.shopper.access_token, f"{uuid.uuid4().hex}@shoppers.example"
    browser.shopper.register(email, PASSWORD)
    browser.shopper.log_in(email, PASSWORD)
    for name in (one, other):
        browser.visitor.set_line(shelf[name], 1).expect()
    browser.visitor.merge(guest_token).expect()


@given("she has seen what it costs")
def has_seen_costs(browser: Browser) -> None:
    browser.visitor.quote().expect()


@then(
    parsers.re(
        r'her cart says that the price of "(?P<name>.+)" has changed'
        r" from (?P<old>[\d.]+) to (?P<new>[\d.]+)"
    )
)
def price_has_changed(browser: Browser, name: str, old: str, new: str) -> None:
    [line] = eventually(lambda: changed_lines(browser), SEEN_WITHIN_S, "a changed price")

    assert line["name"] == name
    assert (line["previous_unit_price_minor"], line["unit_price_minor"]) == (minor(old), minor(new))


def changed_lines(browser: Browser) -> list[dict[str, object]]:
    return [line for line in browser.visitor.quote().expect()["lines"] if line["price_changed"]]


@then("once she has agreed, it says so no more")
def agrees(browser: Browser) -> None:
    prices = {line["sku"]: line["unit_price_minor"] for line in changed_lines(browser)}
    browser.visitor.accept_prices(prices).expect()  # type: ignore[arg-type]

    assert changed_lines(browser) == []


@then(
    parsers.re(r'her cart says that of "(?P<name>.+)" only (?P<count>\d+) are there'),
    converters={"count": int},
)
def only_so_many(browser: Browser, name: str, count: int) -> None:
    [line] = browser.visitor.quote().expect()["lines"]

    assert (line["name"], line["stock"], line["quantity_in_stock"]) == (name, "limited", count)


@then("her cart holds")
def cart_holds(browser: Browser, shelf: Shelf, datatable: list[list[str]]) -> None:
    assert browser.contents(shelf) == {name: int(count) for name, count in datatable}


@then("somebody else's cart is empty")
def others_cart_is_empty(shop: ScenarioShop) -> None:
    other = shop.visitor(shop.shopper("Other"))

    assert other.cart().expect()["lines"] == []


@then("who does not say who they are sees no cart")
def nobody_sees_a_cart(shop: ScenarioShop) -> None:
    assert shop.with_token("").cart().status == 401
