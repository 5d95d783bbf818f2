"""Tiny hand-made tables in the shape of the source."""

from collections.abc import Callable
from typing import Any

import pytest

MakeTransactions = Callable[..., Any]


@pytest.fixture(scope="session")
def pandas() -> Any:
    return pytest.importorskip("pandas", reason="needs `uv sync --extra journey`")


@pytest.fixture
def make_transactions(pandas: Any) -> MakeTransactions:
    """Each argument is one till line: what it states, over a plain line of basket 1."""
    plain = {
        "household_id": 7,
        "basket_id": 1,
        "product_id": 10,
        "quantity": 1,
        "sales_value": 2.0,
        "retail_disc": 0.0,
        "coupon_match_disc": 0.0,
        "transaction_timestamp": "2017-04-08 12:00:00",
    }

    def make(*lines: dict[str, object]) -> Any:
        frame = pandas.DataFrame([{**plain, **line} for line in lines])
        times = pandas.to_datetime(frame.transaction_timestamp)
        return frame.assign(transaction_timestamp=times)

    return make


@pytest.fixture
def product_table(pandas: Any) -> Any:
    """Apple sauce 10, bread 20, gasoline 30, a gift card 40, a store coupon 50, a nameless 60."""
    columns = ["product_id", "department", "product_category", "product_type", "package_size"]
    rows = [
        (10, "GROCERY", "FRUIT - SHELF STABLE", "APPLE SAUCE", "50 OZ"),
        (20, "PASTRY", "BREAD", "BREAD:ITALIAN/FRENCH", None),
        (30, "MISCELLANEOUS", "COUPON/MISC ITEMS", "GASOLINE-REG UNLEADED", None),
        (40, "MISCELLANEOUS", "COUPON/MISC ITEMS", "MASTERCARD GIFT CARD", None),
        (50, "COUPON", "COUPONS/STORE & MFG", "COUPONS/STORE & MFG", None),
        (60, "MISCELLANEOUS", None, None, None),
    ]
    return pandas.DataFrame(rows, columns=columns)
