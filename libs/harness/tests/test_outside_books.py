"""What is read out of the mails that the shop sent."""

from harness.audit.outside_books import sums_in

CONFIRMATION = """\
2 x Milk 2.00 GAL: 12.34 USD
1 x Wine: 1,234.50 USD
Delivery: 0.00 USD
"""
CONFIRMACION = "1 x Vino: 1234,50 USD\n1 x Oro: 12.345,00 USD\nTotal: 0,99 USD\n"


def test_sums_are_read_in_both_languages_and_no_amount_of_goods_is_one() -> None:
    assert [minor for minor, code in sums_in(CONFIRMATION) if code == "USD"] == [1234, 123450, 0]
    assert sums_in(CONFIRMACION) == [(123450, "USD"), (1234500, "USD"), (99, "USD")]


def test_what_only_looks_like_a_sum_is_none() -> None:
    text = "Order 01a2-12.34 of January 2, 2026: 5 USD, USD 5.00, 1.234 USD, 12.34"

    assert sums_in(text) == []
