from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest
from cart import domain
from cart.domain import (
    Cart,
    CartFull,
    LeftOut,
    Limit,
    Line,
    Price,
    Prices,
    QuantityTooLarge,
    Stock,
)
from hypothesis import given
from hypothesis import strategies as st

carts = st.dictionaries(
    st.sampled_from([f"S-{n}" for n in range(250)]), st.integers(1, 100), max_size=200
).map(lambda lines: tuple(Line(sku, quantity) for sku, quantity in lines.items()))


def total(lines: Iterable[Line | LeftOut]) -> Counter[str]:
    quantities: Counter[str] = Counter()
    for line in lines:
        quantities[line.sku] += line.quantity
    return quantities


MUG, JAR = Line("MUG-1", 2), Line("JAR-1", 1)
CART = Cart("ana", (MUG, JAR), version=4)


def test_a_new_product_goes_to_the_end() -> None:
    tent = Line("TENT-1", 1)

    assert domain.put_line(CART, tent).lines == (MUG, JAR, tent)


def test_another_quantity_keeps_the_place() -> None:
    more = replace(MUG, quantity=5)

    assert domain.put_line(CART, more).lines == (more, JAR)


def test_every_change_counts_and_no_change_does_not() -> None:
    assert domain.put_line(CART, replace(MUG, quantity=3)).version == 5
    assert domain.put_line(CART, MUG) == CART
    assert domain.remove_line(CART, "JAR-1").version == 5
    assert domain.remove_line(CART, "NO-1") == CART
    assert domain.remove_bought(CART, {"NO-1": 1}) == (CART, {"NO-1": 1})


def test_a_full_cart_takes_other_quantities_but_no_other_product() -> None:
    full = Cart("ana", tuple(Line(f"S-{n}", 1) for n in range(domain.LINES_MAX)))

    assert domain.put_line(full, Line("S-0", 2)).lines[0].quantity == 2
    with pytest.raises(CartFull) as refusal:
        domain.put_line(full, Line("S-NEW", 1))
    assert refusal.value.members == {"lines_max": 200}


@pytest.mark.parametrize(
    ("bought", "left", "missing"),
    [
        ({"MUG-1": 2, "JAR-1": 1}, (), {}),
        ({"MUG-1": 1}, (Line("MUG-1", 1), JAR), {}),
        ({"MUG-1": 9}, (JAR,), {"MUG-1": 7}),
        ({"TENT-1": 1}, (MUG, JAR), {"TENT-1": 1}),
        ({}, (MUG, JAR), {}),
    ],
    ids=["all", "some of it", "more than is left", "another product", "nothing"],
)
def test_what_was_bought_goes_and_the_rest_stays(
    bought: dict[str, int], left: tuple[Line, ...], missing: dict[str, int]
) -> None:
    cart, not_there = domain.remove_bought(CART, bought)

    assert cart.lines == left
    assert not_there == missing


class TestAdding:
    def test_adds_to_what_is_there_or_puts_it_at_the_end(self) -> None:
        assert domain.add(CART, "MUG-1", 3).lines == (Line("MUG-1", 5), JAR)
        assert domain.add(CART, "TENT-1", 3).lines == (MUG, JAR, Line("TENT-1", 3))

    def test_takes_out_until_none_is_left(self) -> None:
        assert domain.add(CART, "MUG-1", -1).lines == (Line("MUG-1", 1), JAR)
        assert domain.add(CART, "MUG-1", -2).lines == (JAR,)
        assert domain.add(CART, "MUG-1", -9).lines == (JAR,)
        assert domain.add(CART, "TENT-1", -1) == CART

    def test_more_than_an_order_may_have_is_refused(self) -> None:
        assert domain.quantity_of(domain.add(CART, "MUG-1", 98), "MUG-1") == 100

        with pytest.raises(QuantityTooLarge) as refusal:
            domain.add(CART, "MUG-1", 99)

        assert refusal.value.members == {"sku": "MUG-1", "quantity": 2, "quantity_max": 100}

    def test_a_full_cart_takes_no_other_product(self) -> None:
        full = Cart("ana", tuple(Line(f"S-{n}", 1) for n in range(domain.LINES_MAX)))

        with pytest.raises(CartFull):
            domain.add(full, "S-NEW", 1)


class TestMerging:
    def test_quantities_add_up_and_new_products_come_last(self) -> None:
        done = domain.merge(CART, (Line("TENT-1", 1), Line("MUG-1", 3)))

        assert done.cart.lines == (Line("MUG-1", 5), JAR, Line("TENT-1", 1))
        assert done.cart.version == 5
        assert done.merged == (Line("TENT-1", 1), Line("MUG-1", 3))
        assert done.left_out == ()

    def test_what_is_over_the_quantity_is_left_out_and_named(self) -> None:
        done = domain.merge(CART, (Line("MUG-1", 99),))

        assert done.cart.lines == (Line("MUG-1", 100), JAR)
        assert done.merged == (Line("MUG-1", 98),)
        assert done.left_out == (LeftOut("MUG-1", 1, Limit.QUANTITY),)

    def test_nothing_of_a_product_that_is_full_comes_over(self) -> None:
        full = Cart("ana", (Line("MUG-1", 100),), version=1)

        done = domain.merge(full, (Line("MUG-1", 7),))

        assert done.cart == full
        assert done.merged == ()
        assert done.left_out == (LeftOut("MUG-1", 7, Limit.QUANTITY),)

    def test_products_over_the_number_of_lines_are_left_out_and_named(self) -> None:
        nearly_full = Cart("ana", tuple(Line(f"S-{n}", 1) for n in range(199)), version=1)

        done = domain.merge(nearly_full, (Line("A", 1), Line("B", 2), Line("S-0", 3)))

        assert len(done.cart.lines) == 200
        assert domain.quantity_of(done.cart, "S-0") == 4
        assert done.merged == (Line("A", 1), Line("S-0", 3))
        assert done.left_out == (LeftOut("B", 2, Limit.LINES),)

    @given(carts, carts)
    def test_nothing_is_lost_without_a_word(
        self, own: tuple[Line, ...], guests: tuple[Line, ...]
    ) -> None:
        done = domain.merge(Cart("ana", own, version=1), guests)

        after, before = total(done.cart.lines), total(own)
        assert after == before + total(done.merged)
        assert total(guests) == total(done.merged) + total(done.left_out)
        assert len(done.cart.lines) <= domain.LINES_MAX
        assert all(1 <= line.quantity <= domain.QUANTITY_MAX for line in done.cart.lines)


class TestQuoting:
    PRICES = Prices("USD", {"MUG-1": Price("Mug", 250), "JAR-1": Price("Jar", 499)})

    def test_lines_are_priced_and_add_up(self) -> None:
        quoted = domain.quote(CART, self.PRICES, {"MUG-1": 9, "JAR-1": 9}, {})

        assert [line.line_total_minor for line in quoted.lines] == [500, 499]
        assert quoted.subtotal_minor == 999
        assert (quoted.currency, quoted.version, quoted.stock_known) == ("USD", 4, True)

    def test_what_is_not_sold_is_named_and_costs_nothing(self) -> None:
        quoted = domain.quote(CART, Prices("USD", {"JAR-1": Price("Jar", 499)}), {}, {"MUG-1": 9})

        gone = quoted.lines[0]
        assert (gone.available, gone.name, gone.unit_price_minor) == (False, None, None)
        assert (gone.previous_unit_price_minor, gone.price_changed) == (9, False)
        assert quoted.subtotal_minor == 499

    @pytest.mark.parametrize(
        ("in_stock", "level"),
        [(2, Stock.IN_STOCK), (3, Stock.IN_STOCK), (1, Stock.LIMITED), (0, Stock.OUT_OF_STOCK)],
    )
    def test_stock_is_compared_with_the_quantity(self, in_stock: int, level: Stock) -> None:
        mug = domain.quote(CART, self.PRICES, {"MUG-1": in_stock}, {}).lines[0]

        assert (mug.stock, mug.quantity_in_stock) == (level, in_stock)

    def test_what_the_inventory_does_not_know_is_out_of_stock(self) -> None:
        assert domain.quote(CART, self.PRICES, {}, {}).lines[0].stock is Stock.OUT_OF_STOCK

    def test_without_the_inventory_stock_is_unknown(self) -> None:
        quoted = domain.quote(CART, self.PRICES, None, {})

        assert not quoted.stock_known
        assert {(line.stock, line.quantity_in_stock) for line in quoted.lines} == {
            (Stock.UNKNOWN, None)
        }

    def test_only_another_price_than_was_shown_is_a_change(self) -> None:
        mug, jar = domain.quote(CART, self.PRICES, {}, {"MUG-1": 249, "JAR-1": 499}).lines

        assert (mug.price_changed, mug.previous_unit_price_minor) == (True, 249)
        assert (jar.price_changed, jar.previous_unit_price_minor) == (False, 499)

    def test_only_first_prices_are_new_to_the_shopper(self) -> None:
        quoted = domain.quote(CART, self.PRICES, {}, {"MUG-1": 249})

        assert domain.first_shown(quoted) == {"JAR-1": 499}

    def test_an_empty_cart_is_quoted_without_asking(self) -> None:
        quoted = domain.quote(Cart("ana"), None, {}, {})

        assert (quoted.lines, quoted.subtotal_minor, quoted.currency) == ((), 0, None)
