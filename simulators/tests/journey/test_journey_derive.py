"""The rules that turn till lines into baskets and products, on tables small enough to read."""

from datetime import UTC, datetime
from typing import Any

import pytest
from simulators.journey.derive import LINES_MAX, QUANTITY_MAX, JourneyUnexpected, derive
from simulators.journey.domain import JourneyLine, Window


def test_a_basket_keeps_its_shopper_its_time_and_its_lines(
    make_transactions: Any, product_table: Any
) -> None:
    lines = make_transactions({"product_id": 20, "quantity": 3}, {"product_id": 10})

    [basket] = derive(lines, product_table).baskets

    assert (basket.id, basket.household_id) == ("1", "7")
    assert basket.at == datetime(2017, 4, 8, 12, tzinfo=UTC)
    assert basket.at.tzinfo is UTC
    assert basket.lines == (JourneyLine("20", 3), JourneyLine("10", 1))


def test_baskets_are_ordered_by_time_and_then_as_the_source_has_them(
    make_transactions: Any, product_table: Any
) -> None:
    late, early = "2017-04-08 13:00:00", "2017-04-08 09:00:00"
    lines = make_transactions(
        {"basket_id": 5, "transaction_timestamp": late},
        {"basket_id": 4, "transaction_timestamp": early},
        {"basket_id": 3, "transaction_timestamp": late},
    )

    journey = derive(lines, product_table)

    assert [basket.id for basket in journey.baskets] == ["4", "5", "3"]


def test_lines_of_one_product_in_one_basket_are_merged(
    make_transactions: Any, product_table: Any
) -> None:
    lines = make_transactions(
        {"quantity": 2}, {"product_id": 20}, {"quantity": 3}, {"basket_id": 2, "quantity": 4}
    )

    first, second = derive(lines, product_table).baskets

    assert first.lines == (JourneyLine("10", 5), JourneyLine("20", 1))
    assert second.lines == (JourneyLine("10", 4),)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"quantity": 0}, "lines_without_quantity"),
        ({"sales_value": 0.0}, "lines_without_value"),
        ({"sales_value": 0.0, "retail_disc": 2.0}, "lines_without_value"),
        ({"product_id": 30, "quantity": 12510}, "lines_of_fuel"),
        ({"product_id": 40}, "lines_of_coupons_and_misc"),
        ({"product_id": 50}, "lines_of_coupons_and_misc"),
        ({"quantity": QUANTITY_MAX + 1}, "lines_over_100_units"),
    ],
)
def test_a_line_that_is_no_purchase_of_goods_is_left_out_and_counted(
    make_transactions: Any, product_table: Any, line: dict[str, object], reason: str
) -> None:
    lines = make_transactions(line, {"product_id": 20})

    journey = derive(lines, product_table)

    assert [kept.sku for kept in journey.baskets[0].lines] == ["20"]
    left_out = {name: n for name, n in journey.left_out.items() if name.startswith("lines_") and n}
    assert left_out == {reason: 1}


def test_a_line_is_counted_under_the_first_rule_that_it_breaks(
    make_transactions: Any, product_table: Any
) -> None:
    lines = make_transactions({"product_id": 50, "quantity": 0, "sales_value": 0.0}, {})

    journey = derive(lines, product_table)

    assert journey.left_out["lines_without_quantity"] == 1
    assert journey.left_out["lines_without_value"] == 0
    assert journey.left_out["lines_of_coupons_and_misc"] == 0


def test_the_largest_quantity_allowed_is_kept(make_transactions: Any, product_table: Any) -> None:
    lines = make_transactions({"quantity": QUANTITY_MAX})

    journey = derive(lines, product_table)

    assert journey.baskets[0].lines == (JourneyLine("10", QUANTITY_MAX),)


def test_the_quantity_limit_holds_for_merged_lines(
    make_transactions: Any, product_table: Any
) -> None:
    lines = make_transactions({"quantity": 60}, {"quantity": 41}, {"product_id": 20})

    journey = derive(lines, product_table)

    assert journey.baskets[0].lines == (JourneyLine("20", 1),)
    assert journey.left_out["lines_over_100_units"] == 1


def test_a_basket_of_which_nothing_is_left_is_counted(
    make_transactions: Any, product_table: Any
) -> None:
    lines = make_transactions({"product_id": 30, "quantity": 9000}, {"basket_id": 2})

    journey = derive(lines, product_table)

    assert [basket.id for basket in journey.baskets] == ["2"]
    assert journey.left_out["baskets_without_lines"] == 1


def test_a_basket_keeps_its_first_lines_up_to_the_limit(
    make_transactions: Any, product_table: Any
) -> None:
    numbers = range(1000, 1000 + LINES_MAX + 3)
    lines = make_transactions(*({"product_id": number} for number in numbers))

    journey = derive(lines, product_table)

    assert [line.sku for line in journey.baskets[0].lines] == [str(n) for n in numbers[:LINES_MAX]]
    assert journey.left_out["lines_beyond_200_in_a_basket"] == 3


@pytest.mark.parametrize(
    ("line", "price_minor"),
    [
        ({"sales_value": 1.67}, 167),
        # The user guide's own examples: (3.34 + 0.36) / 2 and (2.89 + 0.45) / 2.
        ({"sales_value": 3.34, "retail_disc": 0.36, "quantity": 2}, 185),
        ({"sales_value": 2.89, "coupon_match_disc": 0.45, "quantity": 2}, 167),
    ],
)
def test_a_shelf_price_is_what_was_before_every_discount(
    make_transactions: Any, product_table: Any, line: dict[str, object], price_minor: int
) -> None:
    lines = make_transactions(line)

    [product] = derive(lines, product_table).products.values()

    assert (product.price_minor, product.currency) == (price_minor, "USD")


def test_a_price_is_the_median_of_the_lines(make_transactions: Any, product_table: Any) -> None:
    prices = [9.99, 2.0, 1.0]
    lines = make_transactions(
        *({"basket_id": n, "sales_value": price} for n, price in enumerate(prices))
    )

    journey = derive(lines, product_table)

    assert journey.products["10"].price_minor == 200


@pytest.mark.parametrize(
    ("sales_value", "quantity", "price_minor"),
    [(0.01, 4, 1), (0.05, 2, 3), (0.07, 5, 1), (0.08, 5, 2)],
)
def test_a_price_is_whole_cents_half_a_cent_up_and_at_least_one(
    make_transactions: Any,
    product_table: Any,
    sales_value: float,
    quantity: int,
    price_minor: int,
) -> None:
    lines = make_transactions({"sales_value": sales_value, "quantity": quantity})

    journey = derive(lines, product_table)

    assert journey.products["10"].price_minor == price_minor


def test_products_are_those_in_the_baskets_ordered_by_number(
    make_transactions: Any, product_table: Any
) -> None:
    lines = make_transactions({"product_id": 20}, {"product_id": 10}, {"product_id": 40})

    journey = derive(lines, product_table)

    assert list(journey.products) == ["10", "20"]
    assert journey.left_out["products_not_bought"] == 4


def test_a_product_without_a_name_says_so(make_transactions: Any, product_table: Any) -> None:
    lines = make_transactions({"product_id": 60}, {"product_id": 999})

    products = derive(lines, product_table).products

    assert products["60"].name == "Product 60 (name not recorded)"
    assert products["60"].department == "Miscellaneous"
    assert products["999"].name == "Product 999 (name not recorded)"
    assert products["999"].department == products["999"].category == "Not recorded"


def test_a_window_keeps_its_baskets_and_counts_but_prices_come_from_all_lines(
    make_transactions: Any, product_table: Any
) -> None:
    lines = make_transactions(
        {"basket_id": 1, "transaction_timestamp": "2017-04-07 23:59:59", "sales_value": 4.0},
        {"basket_id": 2, "transaction_timestamp": "2017-04-08 00:00:00", "sales_value": 2.0},
        {"basket_id": 3, "transaction_timestamp": "2017-04-09 00:00:00", "quantity": 0},
    )
    window = Window(datetime(2017, 4, 8, tzinfo=UTC), datetime(2017, 4, 9, tzinfo=UTC))

    journey = derive(lines, product_table, window)

    assert [basket.id for basket in journey.baskets] == ["2"]
    assert journey.products["10"].price_minor == 300
    assert journey.left_out["lines_without_quantity"] == 0
    assert journey.left_out["baskets_without_lines"] == 0


@pytest.mark.parametrize(
    "other", [{"household_id": 8}, {"transaction_timestamp": "2017-04-08 12:00:01"}]
)
def test_a_basket_of_two_shoppers_or_two_times_is_refused(
    make_transactions: Any, product_table: Any, other: dict[str, object]
) -> None:
    lines = make_transactions({}, {"product_id": 20, **other})

    with pytest.raises(JourneyUnexpected, match="basket 1 has two households or two times"):
        derive(lines, product_table)
