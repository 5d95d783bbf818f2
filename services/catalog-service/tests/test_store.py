import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from catalog.domain.products import Availability, Listing, ProductNotFound
from catalog.domain.search import Bucket, Facets, Filters, Place, Search, Sort
from catalog.store import products as store
from catalog.store import search as search_store
from catalog.store import tables
from common.db import Database
from common.testing import analyze
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError, ProgrammingError

MUG = Listing("MUG-1", "Blue mug", "KITCHEN", "CUPS", 950, brand="Hearth", size="12 oz")
JAR = Listing("JAR-1", "Jam jar 100%", "KITCHEN", "JARS", 400)
TENT = Listing("TENT-1", "Tent for two, CAFÉ edition", "OUTDOOR", "TENTS", 19_900)
SOCK = Listing("SOCK-1", "Носок синий", "WEAR", "SOCKS", 300)
ALL = Search("", Filters(), Sort.SKU, None, 10)
NOON = datetime(2017, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def four_products(db: Database) -> None:
    with db.transaction() as tx:
        store.put_many(tx, [TENT, MUG, JAR, SOCK])


def names(db: Database, search: Search) -> list[str]:
    with db.transaction() as tx:
        return [product.listing.sku for product, _ in search_store.find(tx, search)]


def words(text_: str) -> Search:
    return replace(ALL, text=text_, sort=Sort.RELEVANCE)


def availability(db: Database) -> Availability:
    with db.transaction() as tx:
        return store.get(tx, "MUG-1").availability


def test_what_was_put_is_read_back(db: Database) -> None:
    with db.transaction() as tx:
        product = store.get(tx, "MUG-1")

    assert product.listing == MUG
    assert (product.version, product.revision) == (1, 1)
    assert product.availability is Availability.IN_STOCK
    assert product.updated_at.tzinfo is not None


def test_an_unknown_product_is_not_found(db: Database) -> None:
    with db.transaction() as tx, pytest.raises(ProductNotFound):
        store.get(tx, "NO-1")


def test_a_change_counts_version_and_revision(db: Database) -> None:
    with db.transaction() as tx:
        changed = store.change(tx, replace(MUG, price_minor=990))

    assert (changed.version, changed.revision, changed.listing.price_minor) == (2, 2, 990)


def test_an_import_tells_what_it_changed_and_keeps_what_it_does_not_say(db: Database) -> None:
    bare = replace(MUG, brand=None, size=None)

    with db.transaction() as tx:
        written = store.put_many(tx, [bare, replace(JAR, name="Jar"), replace(MUG, sku="MUG-2")])
        mug = store.get(tx, "MUG-1")

    assert sorted((one.sku, one.version) for one in written) == [("JAR-1", 2), ("MUG-2", 1)]
    assert mug.listing == MUG


def test_what_was_discontinued_is_sold_again_by_an_import(db: Database) -> None:
    with db.transaction() as tx:
        gone = store.discontinue(tx, "MUG-1")
        store.put_many(tx, [MUG])
        back = store.get(tx, "MUG-1")

    assert gone.availability is Availability.DISCONTINUED
    assert (back.availability, back.version) == (Availability.IN_STOCK, 3)


def test_somebody_elses_new_product_is_not_overwritten(db: Database) -> None:
    with db.transaction() as tx:
        assert store.add(tx, replace(MUG, price_minor=1)) is None
        assert store.get(tx, "MUG-1").listing == MUG


@pytest.mark.parametrize(
    ("text_", "found"),
    [
        ("MUG", ["MUG-1"]),
        ("mugs", ["MUG-1"]),
        ("blue mug", ["MUG-1"]),
        ("mug jar", []),
        ("mug or jar", ["MUG-1", "JAR-1"]),
        ("kitchen -mug", ["JAR-1"]),
        ('"blue mug"', ["MUG-1"]),
        ('"mug blue"', []),
        ("café", ["TENT-1"]),
        ("CAFE", ["TENT-1"]),
        ("синий", ["SOCK-1"]),
        ("СИНИЙ", ["SOCK-1"]),
        ("hearth", ["MUG-1"]),
        ("mug-1", ["MUG-1"]),
        ("100%", ["JAR-1"]),
        ("%", []),
        ("_", []),
        ("\\", []),
        ("the", []),
        ("🫖", []),
        ("\u202e\u200f", []),
        ("'; DROP TABLE products; --", []),
        ("a & | ! <-> :* (", []),
    ],
)
def test_words_find_what_web_search_engines_would(
    db: Database, text_: str, found: list[str]
) -> None:
    assert sorted(names(db, words(text_))) == sorted(found)


SCRIPTS = {
    "CREME": "Crème BRÛLÉE z Łodzi",
    "HERB": "Ёлка зелёная",
    "TEA": "Τσάι του ΒΟΥΝΟΎ",
    "PHO": "Bánh phở TƯƠI",
    "HAN": "ハンドル",
    "STREET": "Straße nach Ærø",
}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("case", [str, str.upper, str.lower], ids=["as it is", "upper", "lower"])
@pytest.mark.parametrize("sku", SCRIPTS)
def test_a_name_is_found_in_each_case_and_normal_form(
    db: Database, sku: str, case: Callable[[str], str], form: Literal["NFC", "NFD"]
) -> None:
    with db.transaction() as tx:
        store.put_many(tx, [Listing(sku, name, "D", "C", 1) for sku, name in SCRIPTS.items()])

    for word in SCRIPTS[sku].split():
        asked = unicodedata.normalize(form, case(word))
        assert names(db, words(asked)) == [sku], asked


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_that_came_in_another_normal_form_is_found(
    db: Database, form: Literal["NFC", "NFD"]
) -> None:
    stored = [Listing(s, unicodedata.normalize("NFD", n), "D", "C", 1) for s, n in SCRIPTS.items()]
    with db.transaction() as tx:
        store.put_many(tx, stored)

    for sku, name in SCRIPTS.items():
        for word in name.split():
            assert names(db, words(unicodedata.normalize(form, word))) == [sku], word


def test_a_word_in_the_name_counts_more_than_one_in_the_category(db: Database) -> None:
    with db.transaction() as tx:
        named, beside = (
            Listing("CUP-1", "Cups", "D", "C", 1),
            Listing("X", "Saucer", "D", "CUPS", 1),
        )
        store.put_many(tx, [named, beside])

    assert names(db, words("cups"))[0] == "CUP-1"


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        (Sort.SKU, ["JAR-1", "MUG-1", "SOCK-1", "TENT-1"]),
        (Sort.RELEVANCE, ["JAR-1", "MUG-1", "SOCK-1", "TENT-1"]),
        (Sort.PRICE_ASC, ["SOCK-1", "JAR-1", "MUG-1", "TENT-1"]),
        (Sort.PRICE_DESC, ["TENT-1", "MUG-1", "JAR-1", "SOCK-1"]),
        (Sort.NAME, ["MUG-1", "JAR-1", "TENT-1", "SOCK-1"]),
        (Sort.NEWEST, ["TENT-1", "SOCK-1", "MUG-1", "JAR-1"]),
    ],
)
def test_pages_of_every_order_join_without_gap_or_overlap(
    db: Database, sort: Sort, found: list[str]
) -> None:
    seen: list[str] = []
    after: Place | None = None
    with db.transaction() as tx:
        for _ in range(5):
            page = search_store.find(tx, replace(ALL, sort=sort, after=after, limit=1))
            seen += [product.listing.sku for product, _ in page]
            after = page[-1][1] if page else after

    assert seen == found


def test_pages_by_relevance_join_where_ranks_are_equal(db: Database) -> None:
    with db.transaction() as tx:
        store.put_many(tx, [replace(MUG, sku=f"CUP-{n}", name="Cup") for n in range(7)])
    seen: list[str] = []
    after: Place | None = None

    with db.transaction() as tx:
        while page := search_store.find(tx, replace(words("cup"), after=after, limit=2)):
            seen += [product.listing.sku for product, _ in page]
            after = page[-1][1]

    assert len(seen) == len(set(seen)) == 8  # the mug too is among the CUPS
    assert seen[-1] == "MUG-1"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(department="OUTDOOR"), ["TENT-1"]),
        (Filters(category="JARS"), ["JAR-1"]),
        (Filters(brand="Hearth"), ["MUG-1"]),
        (Filters(price_from_minor=400, price_to_minor=950), ["JAR-1", "MUG-1"]),
        (Filters(price_from_minor=951, price_to_minor=950), []),
        (Filters(department="KITCHEN", price_to_minor=400), ["JAR-1"]),
        (Filters(availability=Availability.OUT_OF_STOCK), ["SOCK-1"]),
        (Filters(product_group_id="none"), []),
    ],
)
def test_filters_narrow_the_list(db: Database, filters: Filters, found: list[str]) -> None:
    with db.transaction() as tx:
        store.set_availability(tx, "SOCK-1", Availability.OUT_OF_STOCK, at=NOON)

    assert names(db, replace(ALL, filters=filters)) == found


def test_facets_count_without_their_own_filter_and_within_all_others(db: Database) -> None:
    filters = Filters(department="KITCHEN", price_to_minor=500)

    with db.transaction() as tx:
        facets = search_store.facets(tx, "", filters)

    assert facets == Facets(
        total=1,
        departments=[Bucket("KITCHEN", 1), Bucket("WEAR", 1)],
        categories=[Bucket("JARS", 1)],
        price_bands=[Bucket(1, 1), Bucket(2, 1)],
        availabilities=[Bucket("InStock", 1)],
    )


def test_facets_of_nothing_are_empty(db: Database) -> None:
    with db.transaction() as tx:
        assert search_store.facets(tx, "spaceship", Filters()) == Facets(0, [], [], [], [])


def test_what_is_discontinued_is_found_by_nobody(db: Database) -> None:
    with db.transaction() as tx:
        store.discontinue(tx, "MUG-1")
        facets = search_store.facets(tx, "mug", Filters())
        tree = store.departments(tx)

    assert names(db, words("mug")) == []
    assert facets.total == 0
    assert ("KITCHEN", "CUPS", None, 1) not in tree


def test_words_are_known_with_their_number_and_forgotten_with_the_last(db: Database) -> None:
    with db.transaction() as tx:
        search_store.note_words(tx, ["MUG-1", "JAR-1"])
        noted = search_store.known_words(tx, ["kitchn"])
        search_store.count_words(tx)
        counted = search_store.known_words(tx, ["kitchn"])
        tx.execute(delete(tables.products).where(tables.products.c.department == "KITCHEN"))
        search_store.count_words(tx)
        forgotten = search_store.known_words(tx, ["kitchn"])

    assert [known.word for known in noted["kitchn"]] == ["kitchen"]
    assert [(known.word, known.products) for known in counted["kitchn"]] == [("kitchen", 2)]
    assert forgotten == {"kitchn": []}


def test_every_price_ever_is_kept_whoever_changed_it(db: Database) -> None:
    with db.transaction() as tx:
        store.change(tx, replace(MUG, price_minor=990))
        store.change(tx, replace(MUG, price_minor=990, name="Mug"))
        tx.execute(
            update(tables.products).where(tables.products.c.sku == "MUG-1").values(price_minor=10)
        )
        store.put_many(tx, [replace(MUG, price_minor=20)])
        history = store.price_history(tx, "MUG-1", None, 10)
        older = store.price_history(tx, "MUG-1", history[1].position, 10)

    assert [change.price_minor for change in history] == [20, 10, 990, 950]
    assert [change.price_minor for change in older] == [990, 950]


@pytest.mark.parametrize(
    "statement", ["UPDATE product_prices SET price_minor = 1", "DELETE FROM product_prices"]
)
def test_the_history_of_prices_cannot_be_rewritten(db: Database, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), db.transaction() as tx:
        tx.execute(text(statement))


def test_the_variants_of_a_group_come_cheapest_first(db: Database) -> None:
    group = [
        replace(MUG, sku=f"MUG-{n}", price_minor=n, product_group_id="mugs") for n in (4, 3, 2)
    ]

    with db.transaction() as tx:
        store.put_many(tx, group)
        store.discontinue(tx, "MUG-4")
        first = store.variants(tx, "mugs", None, 1)
        rest = store.variants(tx, "mugs", Place(2, "MUG-2"), 9)

    assert [product.listing.sku for product in (*first, *rest)] == ["MUG-2", "MUG-3"]


def test_the_later_of_two_availabilities_stays_whatever_comes_first(db: Database) -> None:
    with db.transaction() as tx:
        late = store.set_availability(tx, "MUG-1", Availability.OUT_OF_STOCK, at=NOON)
        early = store.set_availability(
            tx, "MUG-1", Availability.LIMITED, at=NOON - timedelta(seconds=1)
        )

    assert (late, early) == (True, False)
    assert availability(db) is Availability.OUT_OF_STOCK


def test_availability_is_a_revision_and_no_version(db: Database) -> None:
    with db.transaction() as tx:
        store.set_availability(tx, "MUG-1", Availability.LIMITED, at=NOON)
        product = store.get(tx, "MUG-1")

    assert (product.version, product.revision) == (1, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"price_minor": 0},
        {"price_minor": -1},
        {"currency": "EUR"},
        {"availability": "Plenty"},
        {"sku": ""},
        {"sku": "x" * 65},
        {"version": 0},
        {"name": None},
    ],
    ids=str,
)
def test_the_database_itself_refuses_what_no_product_can_be(
    db: Database, wrong: dict[str, object]
) -> None:
    row = {
        "sku": "NEW-1", "name": "New", "department": "D", "category": "C",
        "price_minor": 1, "currency": "USD",
    }  # fmt: skip

    with pytest.raises(IntegrityError), db.transaction() as tx:
        tx.execute(insert(tables.products).values(row | wrong))


@pytest.mark.parametrize(
    ("order", "index"),
    [
        ("sku", "products_pkey"),
        ("price_minor, sku", "products_by_price"),
        ("price_minor DESC, sku DESC", "products_by_price"),
        ("name_key, sku", "products_by_name"),
        ("created_at DESC, sku DESC", "products_by_age"),
        ("department, price_minor, sku", "products_by_department_price"),
    ],
)
def test_pages_without_words_follow_an_index(db: Database, order: str, index: str) -> None:
    """Of the statement's shape, not of its time: no sort, so page 1,000 costs as page 1."""
    with db.transaction() as tx:
        tx.execute(text("SET LOCAL enable_seqscan = off"))
        tx.execute(text("SET LOCAL enable_sort = off"))
        statement = (
            f"SELECT sku FROM products WHERE discontinued_at IS NULL ORDER BY {order} LIMIT 20"
        )
        plan = "\n".join(tx.execute(text(f"EXPLAIN {statement}")).scalars())

    assert index in plan
    assert "Sort" not in plan


def test_words_are_looked_up_in_their_index(db: Database) -> None:
    """Among so many, counted, that reading all is dearer."""
    many = [
        {
            "sku": f"THING-{number}", "name": "Thing", "department": "D", "category": "C",
            "price_minor": 1, "currency": "USD",
        }
        for number in range(1_000)
    ]  # fmt: skip
    with db.transaction() as tx:
        tx.execute(insert(tables.products), many)
    analyze(db, "catalog.products")
    with db.transaction() as tx:
        statement = select(tables.products.c.sku).where(
            text("search @@ websearch_to_tsquery('mug')"),
            tables.products.c.discontinued_at.is_(None),
        )
        plan = "\n".join(tx.execute(text(f"EXPLAIN {statement}")).scalars())

    assert "products_by_words" in plan
