from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from catalog import store
from catalog.domain import Availability, Change, Listing, ProductNotFound, Search
from common.db import Database
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

MUG = Listing("MUG-1", "Blue mug", "KITCHEN", "CUPS", 950)
JAR = Listing("JAR-1", "Jam jar 100%", "KITCHEN", "JARS", 400)
TENT = Listing("TENT-1", "Tent for two, CAFÉ edition", "OUTDOOR", "TENTS", 19_900)
ALL = Search(words=(), department=None, after="", limit=10)
NOON = datetime(2017, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def three_products(db: Database) -> None:
    with db.transaction() as tx:
        store.put_many(tx, [TENT, MUG, JAR])


def names(db: Database, search: Search) -> list[str]:
    with db.transaction() as tx:
        return [product.listing.sku for product in store.find(tx, search)]


def availability(db: Database) -> Availability:
    with db.transaction() as tx:
        return store.get(tx, "MUG-1").availability


def test_what_was_put_is_read_back(db: Database) -> None:
    with db.transaction() as tx:
        product = store.get(tx, "MUG-1")

    assert product.listing == MUG
    assert product.version == 1
    assert product.availability is Availability.IN_STOCK
    assert product.updated_at.tzinfo is not None


def test_an_unknown_product_is_not_found(db: Database) -> None:
    with db.transaction() as tx, pytest.raises(ProductNotFound):
        store.get(tx, "NO-1")


def test_a_change_counts_the_version_and_no_change_does_not(db: Database) -> None:
    dearer = replace(MUG, price_minor=990)

    with db.transaction() as tx:
        changed = store.put(tx, dearer)
        again = store.put(tx, dearer)

    assert changed is not None
    assert (changed.version, changed.listing.price_minor) == (2, 990)
    assert again is None


def test_an_import_counts_what_it_did_to_each(db: Database) -> None:
    with db.transaction() as tx:
        counts = store.put_many(tx, [MUG, replace(JAR, name="Jar"), replace(MUG, sku="MUG-2")])

    assert counts == {Change.CREATED: 1, Change.CHANGED: 1, Change.UNCHANGED: 1}


def test_products_come_by_sku_from_after_the_last_one_seen(db: Database) -> None:
    assert names(db, ALL) == ["JAR-1", "MUG-1", "TENT-1"]
    assert names(db, replace(ALL, after="JAR-1", limit=1)) == ["MUG-1"]
    assert names(db, replace(ALL, after="TENT-1")) == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("MUG",), ["MUG-1"]),
        (("blue", "mug"), ["MUG-1"]),
        (("mug", "jar"), []),
        (("café",), ["TENT-1"]),
        (("100%",), ["JAR-1"]),
        (("%",), ["JAR-1"]),
        (("_",), []),
        (("\\",), []),
        (("'; DROP TABLE products; --",), []),
    ],
)
def test_every_word_must_occur_and_means_only_itself(
    db: Database, words: tuple[str, ...], found: list[str]
) -> None:
    assert names(db, replace(ALL, words=words)) == found


def test_a_department_narrows_the_list(db: Database) -> None:
    assert names(db, replace(ALL, department="OUTDOOR")) == ["TENT-1"]


def test_departments_count_their_products(db: Database) -> None:
    with db.transaction() as tx:
        counted = [(d.name, d.products) for d in store.departments(tx)]

    assert counted == [("KITCHEN", 2), ("OUTDOOR", 1)]


def test_prices_are_those_of_known_products(db: Database) -> None:
    with db.transaction() as tx:
        prices = store.prices(tx, ["MUG-1", "NO-1", "' OR true --"])

    assert {sku: price.unit_price_minor for sku, price in prices.items()} == {"MUG-1": 950}


def test_the_later_of_two_availabilities_stays_whatever_comes_first(db: Database) -> None:
    with db.transaction() as tx:
        late = store.set_availability(tx, "MUG-1", Availability.OUT_OF_STOCK, at=NOON)
        early = store.set_availability(
            tx, "MUG-1", Availability.LIMITED, at=NOON - timedelta(seconds=1)
        )

    assert (late, early) == (True, False)
    assert availability(db) is Availability.OUT_OF_STOCK


def test_availability_is_no_change_of_the_listing(db: Database) -> None:
    with db.transaction() as tx:
        store.set_availability(tx, "MUG-1", Availability.LIMITED, at=NOON)
        product = store.get(tx, "MUG-1")

    assert product.version == 1


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
        tx.execute(insert(store.products).values(row | wrong))


def test_pages_follow_the_primary_key(db: Database) -> None:
    """Of the statement's shape, not of its time: no sort, so page 1,000 costs as page 1."""
    with db.transaction() as tx:
        tx.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(
            tx.execute(
                text("EXPLAIN SELECT sku FROM products WHERE sku > 'A' ORDER BY sku LIMIT 20")
            ).scalars()
        )

    assert "products_pkey" in plan
    assert "Sort" not in plan
