import pytest
from harness.audit.pricing import Totals, totals


@pytest.mark.parametrize(
    ("goods", "shipping", "tax", "total"),
    [
        (1, 599, 0, 600),
        (6, 599, 0, 605),  # 0.48 of a cent
        (7, 599, 1, 607),  # 0.56 of a cent
        (4_999, 599, 400, 5_998),
        (5_000, 0, 400, 5_400),
    ],
)
def test_the_rule(goods: int, shipping: int, tax: int, total: int) -> None:
    assert totals(goods) == Totals(goods, shipping, tax)
    assert totals(goods).total_minor == total
