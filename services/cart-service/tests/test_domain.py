from dataclasses import replace

import pytest
from cart import domain
from cart.domain import Cart, CartChanged, CartFull, Line

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
    assert domain.remove_bought(CART, {"NO-1": 1}) == CART


def test_a_full_cart_takes_other_quantities_but_no_other_product() -> None:
    full = Cart("ana", tuple(Line(f"S-{n}", 1) for n in range(domain.LINES_MAX)))

    assert domain.put_line(full, Line("S-0", 2)).lines[0].quantity == 2
    with pytest.raises(CartFull) as refusal:
        domain.put_line(full, Line("S-NEW", 1))
    assert refusal.value.members == {"lines_max": 200}


@pytest.mark.parametrize(
    ("bought", "left"),
    [
        ({"MUG-1": 2, "JAR-1": 1}, ()),
        ({"MUG-1": 1}, (Line("MUG-1", 1), JAR)),
        ({"MUG-1": 9}, (JAR,)),
        ({"TENT-1": 1}, (MUG, JAR)),
        ({}, (MUG, JAR)),
    ],
    ids=["all", "some of it", "more than is left", "another product", "nothing"],
)
def test_what_was_bought_goes_and_the_rest_stays(
    bought: dict[str, int], left: tuple[Line, ...]
) -> None:
    assert domain.remove_bought(CART, bought).lines == left


def test_a_cart_at_another_version_is_refused_with_its_own() -> None:
    domain.expect(CART, None)
    domain.expect(CART, {3, 4})

    with pytest.raises(CartChanged) as refusal:
        domain.expect(CART, {3})
    assert refusal.value.members == {"version": 4}
    with pytest.raises(CartChanged):
        domain.expect(CART, set())
