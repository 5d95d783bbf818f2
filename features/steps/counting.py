"""Steps about staff who receive, count and mend what is on the shelf."""

import uuid
from functools import partial

import pytest
from harness.eventually import eventually
from harness.shopper.caller import Answer
from harness.shopper.client import Line
from harness.shopper.scenario_shop import ScenarioShop
from harness.shopper.shelf import Shelf
from harness.shopper.visitor import Visitor
from pytest_bdd import given, parsers, then, when

from steps.order import GOOD_CARD
from steps.shopping import SEEN_WITHIN_S, Looking

BUYER = "buyer@shoppers.example"
COUNT = {"count": int}
RESERVED_WITHIN_S = 15.0


@when(
    parsers.re(
        r'a delivery of (?P<count>\d+) "(?P<name>.+)" is booked, and its note is sent twice'
    ),
    converters=COUNT,
)
def delivery_is_booked(shop: ScenarioShop, shelf: Shelf, name: str, count: int) -> None:
    key = str(uuid.uuid4())
    for _ in range(2):
        shop.staff.receive(shelf[name], count, key=key).expect()


@given(
    parsers.re(r'staff count (?P<count>\d+) of "(?P<name>.+)" less, because of (?P<why>\w+)'),
    converters=COUNT,
)
@when(
    parsers.re(r'staff count (?P<count>\d+) of "(?P<name>.+)" less, because of (?P<why>\w+)'),
    converters=COUNT,
)
def staff_count(
    shop: ScenarioShop, looking: Looking, shelf: Shelf, name: str, count: int, why: str
) -> None:
    looking.answer = shop.staff.adjust(shelf[name], -count, reason=why)


@when(parsers.re(r'a customer counts (?P<count>\d+) of "(?P<name>.+)" less'), converters=COUNT)
def customer_counts(
    customer: Visitor, looking: Looking, shelf: Shelf, name: str, count: int
) -> None:
    body = {"sku": shelf[name], "delta": -count, "reason": "damage", "note": "mine"}
    looking.answer = customer.ask("POST", "inventory", "/stock/adjustments", json=body)


@given(
    parsers.re(r'(?P<count>\d+) of "(?P<name>.+)" are promised to somebody whose bank still asks'),
    converters=COUNT,
)
def are_promised(
    shop: ScenarioShop, shelf: Shelf, name: str, count: int, request: pytest.FixtureRequest
) -> None:
    lines, waiting = [Line(shelf[name], count)], shop.shopper("Waiting")
    order = waiting.place_order(lines, email=BUYER, payment_method="pm_3ds_required")
    # Else it waits for a quarter of an hour, and the shop does not come to rest.
    request.addfinalizer(partial(waiting.cancel, order["id"]))
    eventually(lambda: shop.stock(shelf[name])["reserved"], RESERVED_WITHIN_S, "a promise")


@given(parsers.re(r'somebody has bought (?P<count>\d+) of "(?P<name>.+)"'), converters=COUNT)
def has_bought(shop: ScenarioShop, shelf: Shelf, name: str, count: int) -> None:
    buyer = shop.shopper("Buyer")
    lines = [Line(shelf[name], count)]
    order = buyer.place_order(lines, email=BUYER, payment_method=GOOD_CARD)
    shop.settled(buyer, order["id"])


@then(parsers.re(r"they are told that only (?P<count>\d+) can go"), converters=COUNT)
def only_so_many_can_go(looking: Looking, count: int) -> None:
    answer = looking.answer or Answer(0, {})

    assert (answer.refusal, answer.body.get("available")) == ("below-reserved", count)


@then(parsers.re(r'there are (?P<count>\d+) of "(?P<name>[^"]+)"$'), converters=COUNT)
def there_are(shop: ScenarioShop, shelf: Shelf, name: str, count: int) -> None:
    assert shop.stock(shelf[name])["on_hand"] == count


@then(
    parsers.re(
        r'there are (?P<count>\d+) of "(?P<name>.+)", of which (?P<promised>\d+) are promised'
    ),
    converters=COUNT | {"promised": int},
)
def there_are_promised(
    shop: ScenarioShop, shelf: Shelf, name: str, count: int, promised: int
) -> None:
    stock = shop.stock(shelf[name])

    assert (stock["on_hand"], stock["reserved"]) == (count, promised)


@then(parsers.re(r'these changes of "(?P<name>.+)" are written down, the latest first'))
def changes_are_written(
    shop: ScenarioShop, shelf: Shelf, name: str, datatable: list[list[str]]
) -> None:
    movements = shop.staff.movements(shelf[name]).expect()["items"]
    written = [[one["reason"], str(one["delta_on_hand"])] for one in movements]

    assert written == datatable


@given(parsers.re(r'everybody sees that "(?P<name>.+)" is (?P<how>sold out|there)'))
@then(parsers.re(r'everybody sees that "(?P<name>.+)" is (?P<how>sold out|there)'))
def everybody_sees_that(anybody: Visitor, shelf: Shelf, name: str, how: str) -> None:
    expected = {"sold out": "OutOfStock", "there": "InStock"}[how]

    def shown() -> bool:
        return bool(anybody.product(shelf[name]).expect()["availability"] == expected)

    eventually(shown, SEEN_WITHIN_S, f"{name} shown as {how}")
