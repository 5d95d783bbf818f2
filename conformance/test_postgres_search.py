"""The catalogue's search: extensions, folding, ranking, spelling, facets, and orders of letters."""

from collections.abc import Iterator

import pytest

from conformance.database import Session, Shop

NAMES = {
    "MUG-1": "Café Mug",
    "mug-2": "Travel mugs, large",
    "TEA-1": "Green tea",
    "Ä-1": "Äpfel",
}


@pytest.fixture
def catalog(shop: Shop) -> Iterator[Session]:
    """Four products, gone with the transaction."""
    with shop.session("catalog") as session:
        for price, (sku, name) in enumerate(NAMES.items(), start=1):
            session.run(
                "INSERT INTO products (sku, name, department, category, price_minor, currency)"
                " VALUES (%s, %s, 'HOME', 'Kitchen', %s, 'USD')",
                sku,
                name,
                price * 100,
            )
        yield session


def test_the_extensions_that_the_catalogue_needs_are_there(shop: Shop) -> None:
    with shop.session() as session:
        found = {row[0] for row in session.run("SELECT extname FROM pg_extension")}

    assert {"pg_trgm", "unaccent", "fuzzystrmatch"} <= found


def test_letters_are_folded_whatever_the_servers_locale(catalog: Session) -> None:
    assert catalog.run("SELECT fold('CAFÉ'), fold('ÄPFEL'), fold('Straße')") == [
        ("cafe", "apfel", "strasse")
    ]


def test_skus_sort_by_their_bytes_whatever_the_servers_locale(catalog: Session) -> None:
    found = catalog.run("SELECT sku FROM products ORDER BY sku")

    assert [row[0] for row in found] == sorted(NAMES, key=str.encode)


@pytest.mark.parametrize(
    ("words", "skus"),
    [
        ("mug", ["MUG-1", "mug-2"]),
        ("MUGS", ["MUG-1", "mug-2"]),
        ("cafe", ["MUG-1"]),
        ("mug -travel", ["MUG-1"]),
        ('"green tea"', ["TEA-1"]),
        ("apfel", ["Ä-1"]),
        ("' ; DROP", []),
    ],
)
def test_a_search_finds_what_was_meant(catalog: Session, words: str, skus: list[str]) -> None:
    found = catalog.run(
        "SELECT sku FROM products WHERE discontinued_at IS NULL AND search"
        " @@ websearch_to_tsquery('pg_catalog.english', fold(%s)) ORDER BY sku",
        words,
    )

    assert [row[0] for row in found] == sorted(skus, key=str.encode)


def test_what_the_name_says_ranks_before_what_the_department_says(catalog: Session) -> None:
    found = catalog.run(
        "SELECT round(1000000 * ts_rank('{0.1, 0.2, 0.4, 1.0}', search, query))::int"
        " FROM products, websearch_to_tsquery('pg_catalog.english', %s) AS query"
        " WHERE sku = 'TEA-1'",
        "tea or home",
    )

    # The same number everywhere: a cursor of one server is followed on another.
    assert found == [(410_351,)]


def test_a_misspelt_word_is_recognised(catalog: Session) -> None:
    assert catalog.run(
        "SELECT levenshtein_less_equal('mugg', 'mug', 2), 'coffee' % 'cofee',"
        " starts_with('coffee', 'cof')"
    ) == [(1, True, True)]


def test_facets_are_counted_in_one_pass(catalog: Session) -> None:
    found = catalog.run(
        "SELECT department, category, count(*) FROM products"
        " GROUP BY GROUPING SETS (department, category, ()) ORDER BY 1, 2"
    )

    assert found == [("HOME", None, 4), (None, "Kitchen", 4), (None, None, 4)]


def test_prices_fall_into_bands(catalog: Session) -> None:
    found = catalog.run(
        "SELECT width_bucket(price_minor, ARRAY[200, 300]) FROM products ORDER BY price_minor"
    )

    assert [row[0] for row in found] == [0, 1, 2, 2]
