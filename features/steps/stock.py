"""Steps about what is on the shelf."""

from decimal import Decimal

from harness.shopper.scenario_shop import ScenarioShop
from pytest_bdd import given, parsers, then


@given(
    parsers.re(
        r'the shop sells a "(?P<name>.+)" for (?P<price>[\d.]+) and has (?P<count>\d+) of it'
    ),
    target_fixture="sku",
    converters={"count": int, "price": Decimal},
)
def sells(shop: ScenarioShop, name: str, price: Decimal, count: int) -> str:
    return shop.sell(name, int(price * 100), count)


@then(
    parsers.re(r"(?P<count>\d+) of it (is|are) left, and none is reserved"),
    converters={"count": int},
)
def are_left(shop: ScenarioShop, sku: str, count: int) -> None:
    stock = shop.stock(sku)

    assert (stock["on_hand"], stock["reserved"], stock["available"]) == (count, 0, count)
