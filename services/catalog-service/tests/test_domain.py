import pytest
from catalog.domain import imports, products, search
from catalog.domain.imports import Row
from catalog.domain.products import Availability, Listing, Node, Price, Product
from catalog.domain.search import Known
from hypothesis import given
from hypothesis import strategies as st

WORDS = [Known("chocolate", 900), Known("milk", 800), Known("mild", 20), Known("yogurt", 300)]


def product(sku: str, price_minor: int, availability: Availability) -> Product:
    from datetime import UTC, datetime

    noon = datetime(2017, 1, 1, 12, tzinfo=UTC)
    return Product(Listing(sku, sku, "D", "C", price_minor), availability, 1, 1, noon, noon)


def test_a_quote_keeps_the_order_asked_and_names_what_is_unknown_or_sold_no_longer() -> None:
    found = {
        "MUG-1": product("MUG-1", 950, Availability.OUT_OF_STOCK),
        "JAR-1": product("JAR-1", 400, Availability.IN_STOCK),
        "OLD-1": product("OLD-1", 100, Availability.DISCONTINUED),
    }

    quote = products.quote(["JAR-1", "NO-1", "OLD-1", "MUG-1"], found)

    assert quote.prices == [Price("JAR-1", "JAR-1", 400), Price("MUG-1", "MUG-1", 950)]
    assert quote.unknown == ["NO-1", "OLD-1"]
    assert quote.currency == "USD"


def test_low_stock_is_limited_until_none_is_left() -> None:
    assert products.availability_when_low(1) is Availability.LIMITED
    assert products.availability_when_low(0) is Availability.OUT_OF_STOCK


@pytest.mark.parametrize(
    "text", ["", "-a", "a b", "a/b", "a\n", "é", "x" * 65, "a\x00", "'; DROP TABLE products"]
)
def test_what_is_no_article_number_is_no_sku(text: str) -> None:
    assert not products.is_sku(text)


def test_a_tree_adds_up_and_leaves_out_nodes_without_a_name() -> None:
    rows = [
        ("D1", "C1", "T1", 2),
        ("D1", "C1", None, 3),
        ("D1", "C2", "T1", 4),
        ("D2", "C1", None, 1),
    ]

    assert products.tree(rows) == [
        Node("D1", 9, [Node("C1", 5, [Node("T1", 2)]), Node("C2", 4, [Node("T1", 4)])]),
        Node("D2", 1, [Node("C1", 1, [])]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("choclate", "chocolate"),
        ("mlik", "milk"),
        ("yoghrt", "yogurt"),
        ("choc", "chocolate"),
        ("milk", None),
        ("mil", "milk"),
        ("tent", None),
        ("mulch", None),
    ],
)
def test_a_word_is_corrected_to_the_closest_and_then_the_commonest(
    word: str, meant: str | None
) -> None:
    assert search.closest_to(word, WORDS) == meant


def test_only_words_are_corrected_and_not_what_is_excluded() -> None:
    known = {"choclate": WORDS, "mlik": WORDS}

    assert search.words_to_check('choclate "mlik" -yoghrt or 12oz 1000') == [
        "choclate",
        "mlik",
        "12oz",
    ]
    assert search.correct('Choclate "mlik" -choclate', known) == 'chocolate "milk" -choclate'
    assert search.correct("milk", {"milk": WORDS}) is None


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_distance_is_symmetric_and_zero_only_for_equals(one: str, other: str) -> None:
    assert search.distance(one, other) == search.distance(other, one)
    assert (search.distance(one, other) == 0) == (one == other)
    assert search.distance(one, other) <= max(len(one), len(other))


def test_price_bands_join_without_gap_and_the_last_is_open() -> None:
    bounds = [search.band_bounds(index) for index in range(len(search.PRICE_BANDS) + 1)]

    assert bounds[0][0] == 0
    assert all(greatest is not None for _, greatest in bounds[:-1])
    assert [least for least, _ in bounds[1:]] == [(end or 0) + 1 for _, end in bounds[:-1]]
    assert bounds[-1] == (5000, None)


def test_of_rows_with_the_same_sku_the_first_stays() -> None:
    rows = [
        Row(1, {"sku": "A"}),
        Row(2, {"sku": "B"}),
        Row(3, {"sku": "A"}),
        Row(4, None, "broken"),
    ]

    marked = imports.mark_repeated(rows)

    assert [row.fault for row in marked] == [None, None, "row 1 has the same SKU", "broken"]
    assert marked[2].pointer == "/sku"


def test_chunks_hold_every_row_once() -> None:
    rows = [Row(number, {}) for number in range(1, 2502)]

    chunks = imports.chunks(rows)

    assert [len(chunk) for chunk in chunks] == [1000, 1000, 501]
    assert [row for chunk in chunks for row in chunk] == rows
