import pytest
from common.card_numbers import holds_card_number


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
