"""The names that shoppers read."""

import pytest
from simulators.journey.names import department_name, product_name


@pytest.mark.parametrize(
    ("kind", "category", "size", "name"),
    [
        ("APPLE SAUCE", "FRUIT - SHELF STABLE", "50 OZ", "Apple Sauce, 50 oz"),
        ("ICE - CRUSHED/CUBED", "FRZN ICE", "22 LB", "Ice - Crushed/Cubed, 22 lb"),
        ("CHILDRENS  BOOKS", "BOOKS", "", "Childrens Books"),
        ("", "BREAD", "EX   16 OZ", "Bread, ex 16 oz"),
        ("SFT DRNK MLT-PK BTL CARB (EXCP", "SOFT DRINKS", "", "Sft Drnk Mlt-Pk Btl Carb"),
        ("JUICE (100% JUICE)", "JUICE", "", "Juice (100% Juice)"),
        ("SOFT DRINKS 12/18&15PK CAN CAR", "SOFT DRINKS", "", "Soft Drinks 12/18&15pk Can Car"),
        ("HERSHEY'S", "CANDY", "", "Hershey's"),
        ("", "", "16 OZ", "Product 7 (name not recorded)"),
    ],
)
def test_a_name_is_the_type_or_category_with_its_size(
    kind: str, category: str, size: str, name: str
) -> None:
    assert product_name("7", kind=kind, category=category, package_size=size) == name


@pytest.mark.parametrize(
    ("recorded", "name"),
    [("DRUG GM", "Drug & General Merchandise"), ("SALAD BAR", "Salad Bar"), ("", "Not recorded")],
)
def test_a_department_is_spelled_out_where_its_meaning_is_plain(recorded: str, name: str) -> None:
    assert department_name(recorded) == name
