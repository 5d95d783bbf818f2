from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from order.domain import (
    NotReturnable,
    Order,
    OrderLine,
    OrderStatus,
    Price,
    PriceChanged,
    Return,
    ReturnStatus,
    ReturnTooLarge,
    Totals,
    UnknownSku,
    check_quantities,
    check_returnable,
    check_total,
    merged,
    priced,
    refund_of,
    total,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)

MUG = OrderLine("MUG-1", "Mug", quantity=2, unit_price_minor=250)


def test_lines_of_one_sku_are_one_line() -> None:
    assert merged([("MUG-1", 1), ("LAMP-1", 1), ("MUG-1", 2)]) == {"MUG-1": 3, "LAMP-1": 1}


def test_lines_take_name_and_price_from_the_quote() -> None:
    assert priced({"MUG-1": 2}, {"MUG-1": Price("Mug", 250)}) == (MUG,)


def test_every_unknown_sku_is_named() -> None:
    with pytest.raises(UnknownSku) as refused:
        priced({"B": 1, "MUG-1": 1, "A": 1}, {"MUG-1": Price("Mug", 250)})

    assert refused.value.members == {"unknown": ["A", "B"]}


def test_the_total_is_the_goods_their_delivery_and_their_tax() -> None:
    totals = total([MUG, OrderLine("LAMP-1", "Lamp", 1, 1999)])

    assert totals == Totals(subtotal_minor=2499, shipping_minor=599, tax_minor=200)
    assert totals.total_minor == 3298


@pytest.mark.parametrize(("goods", "shipping"), [(4_999, 599), (5_000, 0), (5_001, 0)])
def test_delivery_is_free_from_a_sum_on(goods: int, shipping: int) -> None:
    assert total([OrderLine("X", "X", 1, goods)]).shipping_minor == shipping


@pytest.mark.parametrize(("goods", "tax"), [(6, 0), (7, 1), (100, 8), (106, 8), (107, 9)])
def test_half_a_cent_of_tax_is_a_whole_one(goods: int, tax: int) -> None:
    assert total([OrderLine("X", "X", 1, goods)]).tax_minor == tax


def order_of(*lines: OrderLine, **changes: Any) -> Order:
    settled = {"status": OrderStatus.CONFIRMED, "payment_settled": True} | changes
    return Order(
        id="o-1", customer_id="ana", email="ana@shoppers.example", currency="USD",
        totals=total(lines), payment_method="pm_ok", placed_at=NOW, updated_at=NOW, **settled,
    )  # fmt: skip


def returned(**quantities: int) -> Return:
    return Return("r", "o-1", ReturnStatus.REQUESTED, "other", 1, quantities, NOW)


@given(st.data())
def test_everything_in_parts_gives_back_exactly_goods_and_tax(data: st.DataObject) -> None:
    prices = data.draw(st.lists(st.integers(1, 99_999), min_size=1, max_size=4))
    lines = [
        OrderLine(f"S{n}", "X", data.draw(st.integers(1, 9)), price)
        for n, price in enumerate(prices)
    ]
    order, pieces = order_of(*lines), [line.sku for line in lines for _ in range(line.quantity)]
    earlier: list[Return] = []
    paid_back = 0

    for sku in data.draw(st.permutations(pieces)):
        amount = refund_of(order, lines, earlier, {sku: 1})
        earlier.append(returned(**{sku: 1}))
        paid_back += amount
        assert amount > 0

    assert paid_back == order.totals.subtotal_minor + order.totals.tax_minor


def test_no_more_comes_back_than_was_bought() -> None:
    earlier = [returned(**{"MUG-1": 1})]

    check_quantities([MUG], earlier, {"MUG-1": 1})
    with pytest.raises(ReturnTooLarge) as refused:
        check_quantities([MUG], earlier, {"MUG-1": 2, "CUP-1": 1})

    assert refused.value.members["excess"] == [
        {"sku": "CUP-1", "requested": 1, "returnable": 0},
        {"sku": "MUG-1", "requested": 2, "returnable": 1},
    ]


@pytest.mark.parametrize(
    ("order", "later"),
    [
        (order_of(MUG, status=OrderStatus.PENDING), timedelta()),
        (order_of(MUG, payment_settled=False), timedelta()),
        (order_of(MUG), timedelta(days=30, seconds=1)),
    ],
    ids=["pending", "not captured", "too late"],
)
def test_what_is_not_paid_or_long_ago_is_not_returned(order: Order, later: timedelta) -> None:
    with pytest.raises(NotReturnable):
        check_returnable(order, NOW + later)


def test_a_paid_order_may_be_returned_for_thirty_days() -> None:
    check_returnable(order_of(MUG), NOW + timedelta(days=30))


def test_another_total_than_the_shopper_saw_is_refused() -> None:
    check_total([MUG], None)
    check_total([MUG], 1139)
    with pytest.raises(PriceChanged) as refused:
        check_total([MUG], 499)
    assert refused.value.members == {"expected_minor": 499, "actual_minor": 1139}
