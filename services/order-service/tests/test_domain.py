import pytest
from order.domain import (
    OrderLine,
    Price,
    PriceChanged,
    UnknownSku,
    check_total,
    holds_card_number,
    merged,
    priced,
    total,
)

MUG = OrderLine("MUG-1", "Mug", quantity=2, unit_price_minor=250)


def test_lines_of_one_sku_are_one_line() -> None:
    assert merged([("MUG-1", 1), ("LAMP-1", 1), ("MUG-1", 2)]) == {"MUG-1": 3, "LAMP-1": 1}


def test_lines_take_name_and_price_from_the_quote() -> None:
    assert priced({"MUG-1": 2}, {"MUG-1": Price("Mug", 250)}) == (MUG,)


def test_every_unknown_sku_is_named() -> None:
    with pytest.raises(UnknownSku) as refused:
        priced({"B": 1, "MUG-1": 1, "A": 1}, {"MUG-1": Price("Mug", 250)})

    assert refused.value.members == {"unknown": ["A", "B"]}


def test_the_total_is_the_sum_of_quantity_times_price() -> None:
    assert total([MUG, OrderLine("LAMP-1", "Lamp", 1, 1999)]) == 2499


def test_another_total_than_the_shopper_saw_is_refused() -> None:
    check_total([MUG], None)
    check_total([MUG], 500)
    with pytest.raises(PriceChanged) as refused:
        check_total([MUG], 499)
    assert refused.value.members == {"expected_minor": 499, "actual_minor": 500}


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424242",
        '{"pm":"4242 4242 4242 4242"}',
        "x5555-5555-5555-4444y",
        "378282246310005",
        "3782 822463 10005",
        "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
        "order 1 4242424242424242",
        "12 4242 4242 4242 4242 03/27",
        "\uff14\uff12" * 8,
        "6205500000000000004",
    ],
)
def test_a_card_number_is_seen_however_it_is_written(text: str) -> None:
    assert holds_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4242424242424241",
        "424242424242",
        "1082185",
        '{"sku":"1082185","quantity":2}',
        "1" * 30,
        "2026-01-01T12:00:00.123456+00:00",
        "4242,4242,4242,4242",
    ],
    ids=["empty", "no Luhn", "too short", "a SKU", "a line", "too long", "a time", "a list"],
)
def test_other_digits_are_no_card_number(text: str) -> None:
    assert not holds_card_number(text)
