"""Steps about looking around, and about what there is to look at."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from harness.eventually import eventually
from harness.shopper.caller import Answer
from harness.shopper.client import Line
from harness.shopper.scenario_shop import ScenarioShop
from harness.shopper.shelf import Shelf, minor
from harness.shopper.visitor import Visitor
from pytest_bdd import given, parsers, then, when

SEEN_WITHIN_S = 15.0
IMPORTED_WITHIN_S = 30.0
GOOD_CARD = "pm_ok"


@dataclass
class Looking:
    """What somebody found, as names of this scenario's products; and the last answer."""

    found: list[str] = field(default_factory=list)
    answer: Answer | None = None
    etags: list[str] = field(default_factory=list)


@pytest.fixture
def looking() -> Looking:
    return Looking()


@pytest.fixture
def anybody(shop: ScenarioShop) -> Visitor:
    return shop.with_token("")


@pytest.fixture
def customer(shop: ScenarioShop) -> Visitor:
    return shop.visitor(shop.shopper("Somebody"))


@given("the shop sells these in one department", target_fixture="shelf")
def sells_these(shop: ScenarioShop, datatable: list[list[str]]) -> Shelf:
    return Shelf.of(shop.staff, datatable)


def search_shelf(
    looking: Looking, shelf: Shelf, anybody: Visitor, words: str, **narrowed: Any
) -> None:
    page = anybody.search(words, department=shelf.department, **narrowed).expect()
    looking.found = shelf.names(page["items"])


@when(parsers.re(r'somebody looks for "(?P<words>.+)"'))
def looks_for(looking: Looking, shelf: Shelf, anybody: Visitor, words: str) -> None:
    search_shelf(looking, shelf, anybody, words)


@when(parsers.re(r'somebody looks through "(?P<category>.+)", the dearest first'))
def looks_through(looking: Looking, shelf: Shelf, anybody: Visitor, category: str) -> None:
    search_shelf(looking, shelf, anybody, "", category=category, sort="price_desc")


@when(parsers.re(r"somebody looks for what costs from (?P<low>[\d.]+) to (?P<high>[\d.]+)"))
def looks_by_price(looking: Looking, shelf: Shelf, anybody: Visitor, low: str, high: str) -> None:
    search_shelf(
        looking, shelf, anybody, "", price_from_minor=minor(low), price_to_minor=minor(high)
    )


@when("somebody asks how many there are of each kind", target_fixture="facets")
def asks_how_many(shelf: Shelf, anybody: Visitor) -> Mapping[str, Any]:
    answer = anybody.search("", department=shelf.department, facets="true").expect()
    facets: Mapping[str, Any] = answer["facets"]
    return facets


@when(
    parsers.re(r"somebody turns page after page, (?P<size>\d+) products on each"),
    converters={"size": int},
)
def turns_pages(looking: Looking, shelf: Shelf, anybody: Visitor, size: int) -> None:
    for page in anybody.pages(department=shelf.department, limit=size):
        assert len(page) <= size
        looking.found += shelf.names(page)


@then("they find these")
def find_these(looking: Looking, datatable: list[list[str]]) -> None:
    assert sorted(looking.found) == sorted(row[0] for row in datatable)


@then("they find these, in this order")
def find_in_order(looking: Looking, datatable: list[list[str]]) -> None:
    assert looking.found == [row[0] for row in datatable]


@then("they find nothing")
def find_nothing(looking: Looking) -> None:
    assert looking.found == []


@then("they are told")
def are_told(facets: Mapping[str, Any], datatable: list[list[str]]) -> None:
    told = {kind["name"]: kind["products"] for kind in facets["categories"]}

    assert told == {kind: int(count) for kind, count in datatable}


@then("they saw every product once")
def saw_every_product(looking: Looking, shelf: Shelf) -> None:
    assert sorted(looking.found) == sorted(shelf.skus)


@when(parsers.re(r'somebody looks at the sizes of "(?P<name>.+)"'), target_fixture="sizes")
def looks_at_sizes(shelf: Shelf, anybody: Visitor, name: str) -> Sequence[str]:
    variants = anybody.variants(shelf[name]).expect()["items"]
    return [variant["size"] for variant in variants]


@then("they see these sizes")
def see_sizes(sizes: Sequence[str], datatable: list[list[str]]) -> None:
    assert sorted(sizes) == sorted(row[0] for row in datatable)


@when(parsers.re(r'staff price "(?P<name>.+)" at (?P<price>[\d.]+)'))
def staff_price(shop: ScenarioShop, shelf: Shelf, name: str, price: str) -> None:
    shop.staff.change(shelf[name], price_minor=minor(price)).expect()


@when(parsers.re(r'staff price "(?P<name>.+)" at (?P<price>[\d.]+) without having looked'))
def price_blindly(
    shop: ScenarioShop, looking: Looking, shelf: Shelf, name: str, price: str
) -> None:
    looking.answer = shop.staff.write_blindly(shelf[name], price_minor=minor(price))


@when(parsers.re(r'a customer tries to price "(?P<name>.+)" at (?P<price>[\d.]+)'))
def customer_prices(
    customer: Visitor, looking: Looking, shelf: Shelf, name: str, price: str
) -> None:
    product = customer.product(shelf[name])
    body = {"name": name, "price_minor": minor(price), "department": shelf.department}
    path = f"/products/{shelf[name]}"
    looking.answer = customer.ask("PUT", "catalog", path, json=body, etag=product.etag)


@given(parsers.re(r'two of the staff look at "(?P<name>.+)"'), target_fixture="looked_at")
def two_look(shop: ScenarioShop, looking: Looking, shelf: Shelf, name: str) -> str:
    looking.etags = [shop.staff.product(shelf[name]).etag for _ in range(2)]
    return shelf[name]


@when(parsers.re(r"the (?P<who>first|second) prices it at (?P<price>[\d.]+)"))
def one_of_two_prices(
    shop: ScenarioShop, looking: Looking, looked_at: str, who: str, price: str
) -> None:
    etag = looking.etags[("first", "second").index(who)]
    looking.answer = shop.staff.change(looked_at, etag=etag, price_minor=minor(price))


@then("the second is told that it has changed meanwhile")
def has_changed_meanwhile(looking: Looking) -> None:
    assert refused(looking) == (412, "version-mismatch")


@then("they are told to look first")
def told_to_look_first(looking: Looking) -> None:
    assert refused(looking) == (428, "if-match-required")


@then("that is forbidden")
def is_forbidden(looking: Looking) -> None:
    assert refused(looking)[0] == 403


def refused(looking: Looking) -> tuple[int, str]:
    assert looking.answer is not None
    return looking.answer.status, looking.answer.refusal


@then(parsers.re(r'everybody sees "(?P<name>.+)" at (?P<price>[\d.]+)'))
def everybody_sees(anybody: Visitor, shelf: Shelf, name: str, price: str) -> None:
    def shown() -> bool:
        return bool(anybody.product(shelf[name]).expect()["price_minor"] == minor(price))

    eventually(shown, SEEN_WITHIN_S, f"{name} at {price}")


@then("its prices were, the latest first")
def prices_were(anybody: Visitor, shelf: Shelf, datatable: list[list[str]]) -> None:
    past = anybody.past_prices(next(iter(shelf.skus.values()))).expect()["items"]

    assert [entry["price_minor"] for entry in past] == [minor(row[0]) for row in datatable]


@when(parsers.re(r'staff withdraw "(?P<name>.+)"'))
def staff_withdraw(shop: ScenarioShop, shelf: Shelf, name: str) -> None:
    shop.staff.withdraw(shelf[name]).expect()


@then(parsers.re(r'nobody finds "(?P<name>.+)" any more'))
def nobody_finds(anybody: Visitor, shelf: Shelf, name: str) -> None:
    def gone() -> bool:
        page = anybody.search("", department=shelf.department).expect()
        return name not in shelf.names(page["items"])

    eventually(gone, SEEN_WITHIN_S, f"{name} gone")
    assert anybody.product(shelf[name]).expect()["availability"] == "Discontinued"


@then(parsers.re(r'nobody can order "(?P<name>.+)"'))
def nobody_can_order(customer: Visitor, shelf: Shelf, name: str) -> None:
    answer = customer.try_to_order([Line(shelf[name], 1)], card=GOOD_CARD, key=str(uuid.uuid4()))

    assert (answer.status, answer.refusal) == (422, "unknown-sku")


@dataclass
class Sent:
    """A file of products, its key, and the imports that the shop said it became."""

    file: str
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    imports: list[str] = field(default_factory=list)


@when("staff send a file with 2 good rows and 1 without a price", target_fixture="sent")
def send_file(shop: ScenarioShop) -> Sent:
    sent = Sent(product_file(Decimal(12), Decimal(14), None))
    sent.imports.append(shop.staff.send_file(sent.file, key=sent.key).expect()["id"])
    return sent


@when("they send the same file again with the same key")
def send_again(shop: ScenarioShop, sent: Sent) -> None:
    sent.imports.append(shop.staff.send_file(sent.file, key=sent.key).expect()["id"])


def product_file(*prices: Decimal | None) -> str:
    run = uuid.uuid4().hex[:8].upper()
    rows = [
        f"FILE-{run}-{number},Thing {number},Department {run},Scenario,{minor(p) if p else ''},USD"
        for number, p in enumerate(prices, 1)
    ]
    return "\n".join(["sku,name,department,category,price_minor,currency", *rows, ""])


@then("in the end 2 rows are sold and 1 is not")
def rows_are_sold(shop: ScenarioShop, sent: Sent) -> None:
    def over() -> Mapping[str, Any] | None:
        progress = shop.staff.file_progress(sent.imports[0]).expect()
        return progress if progress["finished_at"] else None

    progress = eventually(over, IMPORTED_WITHIN_S, "the file taken in")
    assert progress is not None
    assert (progress["created"], progress["rejected"]) == (2, 1), progress


@then(parsers.re(r"the fault of row (?P<row>\d+) is told"), converters={"row": int})
def fault_is_told(shop: ScenarioShop, sent: Sent, row: int) -> None:
    [fault] = shop.staff.file_faults(sent.imports[0]).expect()["items"]

    assert fault["row"] == row, fault


@then("both times it is the same import")
def is_same_import(sent: Sent) -> None:
    assert len(sent.imports) == 2
    assert len(set(sent.imports)) == 1


@when("a customer sends a file of products")
def customer_sends(customer: Visitor, looking: Looking) -> None:
    looking.answer = customer.ask("POST", "catalog", "/product-imports", json={"products": []})
