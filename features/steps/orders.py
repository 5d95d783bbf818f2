"""Steps about what orders cost, and about following them."""

import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from harness.shopper.caller import Answer
from harness.shopper.client import Line
from harness.shopper.scenario_shop import ScenarioShop
from harness.shopper.shelf import Shelf, minor
from pytest_bdd import given, parsers, then, when

from steps.cart import Browser
from steps.order import CARDS, GOOD_CARD

COUNT = {"count": int}


def order(browser: Browser, sku: str, count: int, card: str, **more: Any) -> Answer:
    answer = browser.visitor.try_to_order(
        [Line(sku, count)], card=card, key=str(uuid.uuid4()), **more
    )
    browser.answers.append(answer)
    return answer


@given(
    parsers.re(r'she has asked what (?P<count>\d+) of "(?P<name>.+)" cost'),
    converters=COUNT,
    target_fixture="quoted",
)
@when(
    parsers.re(r'she asks what (?P<count>\d+) of "(?P<name>.+)" cost'),
    converters=COUNT,
    target_fixture="quoted",
)
def asks_what_it_costs(browser: Browser, shelf: Shelf, name: str, count: int) -> Mapping[str, Any]:
    return browser.visitor.order_quote([Line(shelf[name], count)]).expect()


@then(
    parsers.re(
        r"it is (?P<goods>[\d.]+) for the goods, (?P<shipping>[\d.]+) for shipping"
        r" and (?P<tax>[\d.]+) of tax, (?P<total>[\d.]+) in all"
    )
)
def costs(quoted: Mapping[str, Any], goods: str, shipping: str, tax: str, total: str) -> None:
    parts = ("subtotal_minor", "shipping_minor", "tax_minor", "total_minor")

    assert [quoted[part] for part in parts] == [minor(one) for one in (goods, shipping, tax, total)]


@then("if she orders it with a good card, she is charged exactly that")
def is_charged_that(shop: ScenarioShop, browser: Browser, quoted: Mapping[str, Any]) -> None:
    [line] = quoted["lines"]
    total = quoted["total_minor"]
    order(browser, line["sku"], line["quantity"], GOOD_CARD, expected_total_minor=total).expect()
    shop.settled(browser.shopper, last_order(browser))

    assert [p["captured_minor"] for p in shop.payments(last_order(browser))] == [total]


def last_order(browser: Browser) -> str:
    return str(browser.answers[-1].expect()["id"])


@when("she orders at the price she saw")
def orders_at_price_seen(browser: Browser, quoted: Mapping[str, Any]) -> None:
    [line] = quoted["lines"]
    total = quoted["total_minor"]
    order(browser, line["sku"], line["quantity"], GOOD_CARD, expected_total_minor=total)


@then("she is told that the price has changed, and to how much")
def price_changed(browser: Browser, quoted: Mapping[str, Any]) -> None:
    answer = browser.answers[-1]

    assert answer.refusal == "price-changed"
    assert answer.body["actual_minor"] > answer.body["expected_minor"] == quoted["total_minor"]


@then("nothing was ordered")
def nothing_was_ordered(browser: Browser) -> None:
    assert browser.visitor.orders().expect()["items"] == []


@given(
    parsers.re(r'she has ordered (?P<count>\d+) of "(?P<name>.+)" with a good card'),
    converters=COUNT,
)
def has_ordered(shop: ScenarioShop, browser: Browser, shelf: Shelf, name: str, count: int) -> None:
    order(browser, shelf[name], count, GOOD_CARD).expect()
    shop.settled(browser.shopper, last_order(browser))


@given(
    parsers.re(
        r'she has ordered (?P<count>\d+) of "(?P<name>.+)" with a card that is (?P<kind>.+)'
    ),
    converters=COUNT,
)
def has_ordered_with(
    shop: ScenarioShop, browser: Browser, shelf: Shelf, name: str, count: int, kind: str
) -> None:
    order(browser, shelf[name], count, CARDS[kind]).expect()
    shop.settled(browser.shopper, last_order(browser))


@then(parsers.re(r"her order still says (?P<price>[\d.]+) a piece"))
def still_says(browser: Browser, price: str) -> None:
    [line] = browser.visitor.order(last_order(browser)).expect()["lines"]

    assert line["unit_price_minor"] == minor(price)


@when("she tries to order these")
def tries_to_order(browser: Browser, shelf: Shelf, datatable: list[list[str]]) -> None:
    for name, count in datatable:
        order(browser, shelf[name], int(count), GOOD_CARD)


@then("each of them is refused")
def each_is_refused(browser: Browser) -> None:
    assert {answer.refusal for answer in browser.answers} == {"malformed"}


@then(parsers.re(r"she sees (?P<count>\d+) orders of hers, the latest first"), converters=COUNT)
def sees_orders(browser: Browser, count: int) -> None:
    placed = [one["placed_at"] for one in browser.visitor.orders().expect()["items"]]

    assert len(placed) == count
    assert placed == sorted(placed, reverse=True)


@then(parsers.re(r"(?P<count>\d+) of them is (?P<status>confirmed|cancelled)"), converters=COUNT)
def of_them_are(browser: Browser, count: int, status: str) -> None:
    found = browser.visitor.orders(status=status).expect()["items"]

    assert [one["status"] for one in found] == [status] * count


Told = list[tuple[str, Mapping[str, Any]]]


@when(
    parsers.re(r'she orders 1 of "(?P<name>.+)" with a good card and keeps watching'),
    target_fixture="told",
)
def keeps_watching(browser: Browser, shelf: Shelf, name: str) -> Told:
    order(browser, shelf[name], 1, GOOD_CARD).expect()
    return browser.visitor.watch(last_order(browser))


@then("she sees it go from pending to confirmed")
def sees_it_go(told: Told) -> None:
    statuses = [state["status"] for _, state in told]

    assert statuses == sorted(statuses, key=["pending", "confirmed"].index)
    assert statuses[-1] == "confirmed"


@then("the last she is told is that everything is settled")
def is_told_settled(told: Told) -> None:
    assert [state["settled"] for _, state in told].index(True) == len(told) - 1


@when("she watches it from the beginning, and again from what she saw last", target_fixture="again")
def watches_twice(browser: Browser) -> Told:
    first = browser.visitor.watch(last_order(browser))
    return browser.visitor.watch(last_order(browser), seen=first[-1][0])


@then("the second time there is nothing new")
def nothing_new(again: Told) -> None:
    assert again == []


@then("somebody else finds no such order, cannot cancel it and cannot follow it")
def somebody_else(shop: ScenarioShop, browser: Browser) -> None:
    other, order_id = shop.visitor(shop.shopper("Eve")), last_order(browser)
    followed = other.ask("GET", "order", f"/orders/{order_id}/events")
    answers = [other.order(order_id), other.cancel(order_id), followed]

    assert {answer.refusal for answer in answers} == {"order-not-found"}


@then("staff see it")
def staff_see_it(shop: ScenarioShop, browser: Browser) -> None:
    assert shop.staff.order(last_order(browser)).expect()["id"] == last_order(browser)


@given(parsers.re(r'there is just one "(?P<name>.+)" left'))
def just_one_left(shop: ScenarioShop, shelf: Shelf, name: str) -> None:
    available = shop.stock(shelf[name])["available"]
    shop.staff.adjust(shelf[name], 1 - available, reason="damage").expect()


@when(
    parsers.re(r"(?P<count>\d+) people order it at once with a good card"),
    converters=COUNT,
    target_fixture="crowd",
)
def people_order_at_once(shop: ScenarioShop, shelf: Shelf, count: int) -> list[Mapping[str, Any]]:
    [sku] = shelf.skus.values()
    people = [shop.shopper(f"One of {count}") for _ in range(count)]
    with ThreadPoolExecutor(count) as hands:
        bought = [
            hands.submit(
                shopper.place_order,
                [Line(sku, 1)],
                email="crowd@x.example",
                payment_method=GOOD_CARD,
            )
            for shopper in people
        ]
    orders = zip(people, [one.result()["id"] for one in bought], strict=True)
    return [shop.settled(shopper, order_id) for shopper, order_id in orders]


@then("one of them gets it, and the others are told that it is sold out")
def one_gets_it(shop: ScenarioShop, shelf: Shelf, crowd: list[Mapping[str, Any]]) -> None:
    [sku] = shelf.skus.values()
    ends = sorted(one["cancel_reason"] or one["status"] for one in crowd)

    assert ends == ["confirmed", *["out_of_stock"] * (len(crowd) - 1)]
    assert shop.stock(sku) == {"sku": sku, "on_hand": 0, "reserved": 0, "available": 0}
