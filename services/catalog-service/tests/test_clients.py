"""Copies beside writers, without Redis, and with everybody at once."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from catalog.clients import ProductCache, product_cache
from catalog.domain.products import Availability, Listing, Product
from common.testing import REDIS_WITHIN_S

NOON = datetime(2017, 1, 1, 12, tzinfo=UTC)
MUG = Product(
    Listing("MUG-1", "Mug", "D", "C", 950, size="12 oz"), Availability.LIMITED, 3, 5, NOON, NOON
)
LATER = replace(MUG, revision=6, listing=replace(MUG.listing, price_minor=990))


class Shelf:
    """What PostgreSQL would say, and how often it was asked."""

    def __init__(self, *products: Product) -> None:
        self.products = {product.listing.sku: product for product in products}
        self.asked: list[list[str]] = []

    def load(self, skus: Sequence[str]) -> Mapping[str, Product]:
        self.asked.append(list(skus))
        return {sku: self.products[sku] for sku in skus if sku in self.products}


def test_a_copy_says_what_was_loaded_and_is_loaded_once(cache: ProductCache) -> None:
    shelf = Shelf(MUG)

    assert cache.read(["MUG-1"], shelf.load) == {"MUG-1": MUG}
    assert cache.read(["MUG-1"], shelf.load) == {"MUG-1": MUG}

    assert shelf.asked == [["MUG-1"]]


def test_only_what_has_no_copy_is_loaded(cache: ProductCache) -> None:
    jar = replace(MUG, listing=replace(MUG.listing, sku="JAR-1"))
    shelf = Shelf(MUG, jar)
    cache.read(["MUG-1"], shelf.load)

    found = cache.read(["JAR-1", "MUG-1", "NO-1"], shelf.load)

    assert found == {"JAR-1": jar, "MUG-1": MUG}
    assert shelf.asked[1:] == [["JAR-1", "NO-1"]]


def test_while_an_entry_is_held_everybody_loads_and_nobody_leaves_a_copy(
    cache: ProductCache,
) -> None:
    shelf = Shelf(MUG)
    cache.read(["MUG-1"], shelf.load)

    cache.hold(["MUG-1"])
    cache.read(["MUG-1"], shelf.load)
    cache.read(["MUG-1"], shelf.load)

    assert len(shelf.asked) == 3


def test_a_reader_of_before_the_change_never_replaces_what_came_after(
    cache: ProductCache,
) -> None:
    shelf = Shelf(LATER)

    def load_slowly(skus: Sequence[str]) -> Mapping[str, Product]:
        cache.hold(["MUG-1"])
        cache.outdate(["MUG-1"], {"MUG-1": 6})  # The change commits while we read what was before.
        return {"MUG-1": MUG}

    cache.read(["MUG-1"], load_slowly)

    assert cache.read(["MUG-1"], shelf.load) == {"MUG-1": LATER}


def test_a_reader_who_took_too_long_leaves_nothing(
    cache: ProductCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product_cache, "LOAD_S_MAX", 0.0)
    shelf = Shelf(MUG)

    cache.read(["MUG-1"], shelf.load)
    cache.read(["MUG-1"], shelf.load)

    assert len(shelf.asked) == 2


def test_a_hold_goes_by_itself_if_its_writer_dies(cache: ProductCache, redis_url: str) -> None:
    cache.hold(["MUG-1"])

    with redis.Redis.from_url(redis_url) as client:
        lives_ms = client.pttl("catalog:1:product:MUG-1")

    assert 0 < int(lives_ms) <= product_cache.HOLD_S * 1000


def test_a_write_that_changed_nothing_only_lets_go(cache: ProductCache) -> None:
    shelf = Shelf(MUG)

    cache.hold(["MUG-1"])
    cache.outdate(["MUG-1"], {})
    cache.read(["MUG-1"], shelf.load)
    cache.read(["MUG-1"], shelf.load)

    assert len(shelf.asked) == 1


def test_news_of_an_older_revision_takes_away_no_newer_copy(cache: ProductCache) -> None:
    shelf = Shelf(LATER)
    cache.read(["MUG-1"], shelf.load)

    cache.outdate(["MUG-1"], {"MUG-1": 5})
    cache.read(["MUG-1"], shelf.load)

    assert len(shelf.asked) == 1


def test_of_fifty_who_find_no_copy_one_loads(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine whoever loads may take longer than a shopper would wait for it.
    monkeypatch.setattr(product_cache, "LOADING_S", 20.0)
    monkeypatch.setattr(product_cache, "WAIT_S", 20.0)
    shelf, everybody = Shelf(MUG), threading.Barrier(50)

    def load(skus: Sequence[str]) -> Mapping[str, Product]:
        threading.Event().wait(0.02)  # As long as a busy database takes.
        return shelf.load(skus)

    def read(_: int) -> Mapping[str, Product]:
        own = ProductCache(redis_url, timeout_s=REDIS_WITHIN_S)
        everybody.wait()
        return own.read(["MUG-1"], load)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(read, range(50)))

    assert answers == [{"MUG-1": MUG}] * 50
    assert len(shelf.asked) == 1


def test_while_one_refreshes_a_stale_copy_the_others_are_served_it(
    cache: ProductCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product_cache, "FRESH_S", 0.0)
    shelf = Shelf(MUG)
    cache.read(["MUG-1"], shelf.load)
    others: list[Mapping[str, Product]] = []

    def load(skus: Sequence[str]) -> Mapping[str, Product]:
        others.append(cache.read(["MUG-1"], shelf.load))
        return {"MUG-1": LATER}

    refreshed = cache.read(["MUG-1"], load)

    assert refreshed == {"MUG-1": LATER}
    assert others == [{"MUG-1": MUG}]
    assert len(shelf.asked) == 1


def test_counts_are_remembered(cache: ProductCache) -> None:
    made: list[int] = []

    def make() -> Any:
        made.append(1)
        return {"products": 7}

    assert [cache.remember("counts", make) for _ in range(3)] == [b'{"products":7}'] * 3
    assert len(made) == 1


def test_without_redis_every_answer_is_the_same() -> None:
    cache = ProductCache("unix:///nowhere/socket")
    shelf = Shelf(MUG)

    cache.hold(["MUG-1"])
    cache.outdate(["MUG-1"], {"MUG-1": 6})

    assert cache.read(["MUG-1", "NO-1"], shelf.load) == {"MUG-1": MUG}
    assert cache.remember("counts", lambda: [1]) == b"[1]"


def test_after_a_failure_nobody_waits_for_redis_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = ProductCache("unix:///nowhere/socket", ask_again_s=60.0)
    shelf = Shelf(MUG)
    cache.read(["MUG-1"], shelf.load)
    asked: list[object] = []
    monkeypatch.setattr(redis.Connection, "connect", lambda *_: asked.append(1))

    cache.read(["MUG-1"], shelf.load)

    assert asked == []
    assert not cache.may_ask()


def test_readers_beside_a_writer_never_go_back(redis_url: str) -> None:
    """One writer, eight readers: nobody sees an older price than he has seen before."""
    shelf, over = Shelf(MUG), threading.Event()

    def read(_: int) -> list[int]:
        own, seen = ProductCache(redis_url, timeout_s=REDIS_WITHIN_S), []
        while not over.is_set():
            seen.append(own.read(["MUG-1"], shelf.load)["MUG-1"].listing.price_minor)
        return seen

    def write() -> None:
        own = ProductCache(redis_url, timeout_s=REDIS_WITHIN_S)
        for revision in range(6, 106):
            own.hold(["MUG-1"])
            listing = replace(MUG.listing, price_minor=1000 + revision)
            shelf.products["MUG-1"] = replace(MUG, revision=revision, listing=listing)
            own.outdate(["MUG-1"], {"MUG-1": revision})
        over.set()

    with ThreadPoolExecutor(9) as pool:
        readers = [pool.submit(read, number) for number in range(8)]
        pool.submit(write).result()
        seen = [reader.result() for reader in readers]

    assert all(prices == sorted(prices) for prices in seen)
    assert ProductCache(redis_url).read(["MUG-1"], shelf.load)["MUG-1"].revision == 105
