import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import httpx
import pytest
import redis
from cart.clients import CartCache, Catalog, Inventory, Pricing, StockUnknown, cart_cache
from cart.domain import Cart, CatalogUnavailable, Line, Price
from common import deadline
from common.auth import service_token
from common.neighbours import CONNECTIONS
from common.retries import ATTEMPTS_MAX, RETRIES_SAVED_MAX
from common.testing import REDIS_WITHIN_S

MUG = Line("MUG-1", 2)
OLD, NEW = Cart("ana", (), version=1), Cart("ana", (MUG,), version=2)


def status(code: int) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(code)


def says(**body: Any) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(200, json=body)


def cut(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("cut", request=request)


def slow(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("slow", request=request)


def inventory_that(answer: Callable[[httpx.Request], httpx.Response]) -> Inventory:
    """One of its own, whom no question of an earlier test reaches."""
    return Inventory("http://inventory", client=httpx.Client(transport=httpx.MockTransport(answer)))


@pytest.fixture
def http(shelf: Any) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(shelf))


@pytest.fixture
def catalog(http: httpx.Client) -> Catalog:
    return Catalog("http://catalog", client=http)


@pytest.fixture
def inventory(http: httpx.Client) -> Inventory:
    return Inventory("http://inventory", client=http)


class TestCatalog:
    def test_prices_come_without_what_is_not_sold(self, catalog: Catalog) -> None:
        prices = catalog.quote(["MUG-1", "GONE-1"])

        assert (prices.currency, prices.by_sku) == ("USD", {"MUG-1": Price("Mug", 250)})

    @pytest.mark.parametrize("fault", [status(503), status(502), cut], ids=["503", "502", "cut"])
    def test_a_moment_s_failure_is_not_noticed(
        self, catalog: Catalog, shelf: Any, fault: Callable[[httpx.Request], httpx.Response]
    ) -> None:
        shelf.catalog_answers += [fault, fault]

        assert catalog.quote(["MUG-1"]).by_sku
        assert len(shelf.asked) == 3

    @pytest.mark.parametrize(
        ("fault", "attempts"),
        [
            (status(503), ATTEMPTS_MAX),
            (slow, 1),
            (status(500), 1),
            (status(400), 1),
            (status(401), 1),
            (says(currency="dollars", prices=[]), 1),
            (
                says(currency="USD", prices=[{"sku": "MUG-1", "name": "M", "unit_price_minor": 0}]),
                1,
            ),
            (lambda _: httpx.Response(200, content=b"{"), 1),
        ],
        ids=["503", "slow", "500", "400", "401", "no currency", "for nothing", "no JSON"],
    )
    def test_what_stays_or_would_come_again_is_given_up(
        self,
        catalog: Catalog,
        shelf: Any,
        fault: Callable[[httpx.Request], httpx.Response],
        attempts: int,
    ) -> None:
        shelf.catalog_answers += [fault] * 5

        with pytest.raises(CatalogUnavailable):
            catalog.quote(["MUG-1"])

        assert len(shelf.asked) == attempts

    def test_while_it_is_down_it_is_not_asked_three_times_as_often(
        self, catalog: Catalog, shelf: Any
    ) -> None:
        calls = 40
        shelf.catalog_answers += [status(503)] * 200

        for _ in range(calls):
            with pytest.raises(CatalogUnavailable):
                catalog.quote(["MUG-1"])

        assert calls < len(shelf.asked) <= calls * 1.1 + RETRIES_SAVED_MAX

    def test_it_is_asked_by_this_service_in_its_own_name(self, settings: Any, shelf: Any) -> None:
        http = httpx.Client(transport=httpx.MockTransport(shelf), auth=service_token(settings))

        Catalog("http://catalog", client=http).quote(["MUG-1"])

        assert shelf.tokens[0].startswith("Bearer ")


class TestInventory:
    def test_stock_comes_without_what_is_unknown(self, inventory: Inventory) -> None:
        assert inventory.available(["MUG-1", "GONE-1"]) == {"MUG-1": 10}

    @pytest.mark.parametrize(
        "fault",
        [status(503), slow, status(500), says(stock=[{"sku": "MUG-1", "available": -1}])],
        ids=["503", "slow", "500", "less than none"],
    )
    def test_without_an_answer_stock_is_unknown(
        self,
        inventory: Inventory,
        shelf: Any,
        fault: Callable[[httpx.Request], httpx.Response],
    ) -> None:
        shelf.inventory_answers += [fault] * 5

        with pytest.raises(StockUnknown):
            inventory.available(["MUG-1"])


class TestPricing:
    def test_both_are_asked_at_the_same_time(
        self, catalog: Catalog, inventory: Inventory, shelf: Any
    ) -> None:
        """Each waits for the other to have been asked: one after the other would never end."""
        both = Barrier(2, timeout=20)

        def price(_: httpx.Request) -> httpx.Response:
            both.wait()
            return httpx.Response(200, json={"currency": "USD", "prices": []})

        def stock(_: httpx.Request) -> httpx.Response:
            both.wait()
            return httpx.Response(200, json={"stock": []})

        shelf.catalog_answers.append(price)
        shelf.inventory_answers.append(stock)

        prices, known = Pricing(catalog, inventory).ask(["MUG-1"])

        assert (prices.by_sku, known) == ({}, {})

    def test_stock_is_not_needed_and_prices_are(
        self, catalog: Catalog, inventory: Inventory, shelf: Any
    ) -> None:
        pricing = Pricing(catalog, inventory)

        shelf.inventory_answers.append(status(500))
        assert pricing.ask(["MUG-1"])[1] is None

        shelf.catalog_answers.append(status(500))
        with pytest.raises(CatalogUnavailable):
            pricing.ask(["MUG-1"])

    def test_quotes_that_failed_leave_no_question_behind(
        self, catalog: Catalog, shelf: Any
    ) -> None:
        asked, back = list[httpx.Request](), Event()

        def blocked(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            back.wait(20)
            return httpx.Response(200, json={"stock": []})

        pricing = Pricing(catalog, inventory_that(blocked))
        shelf.catalog_answers += [status(500)] * 20
        for _ in range(20):
            with pytest.raises(CatalogUnavailable):
                pricing.ask(["MUG-1"])
        back.set()

        assert pricing.ask(["MUG-1"])[0].by_sku
        assert len(asked) <= CONNECTIONS + 1

    def test_stock_that_comes_too_late_for_the_caller_is_unknown(
        self, catalog: Catalog, shelf: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left_s, quoted = [deadline.EDGE_DEADLINE_S], Event()
        monkeypatch.setattr(deadline, "remaining_s", lambda: left_s[0])

        def price(_: httpx.Request) -> httpx.Response:
            left_s[0] = 0.0
            return httpx.Response(200, json={"currency": "USD", "prices": []})

        def late(_: httpx.Request) -> httpx.Response:
            assert quoted.wait(20), "the quote waited"
            return httpx.Response(200, json={"stock": []})

        shelf.catalog_answers.append(price)

        _, known = Pricing(catalog, inventory_that(late)).ask(["MUG-1"])
        quoted.set()

        assert known is None


class TestCopies:
    def test_what_was_put_is_found(self, cache: CartCache) -> None:
        cache.put(NEW)

        assert cache.get("ana") == NEW
        assert cache.get("bob") is None

    def test_an_older_copy_never_replaces_a_newer_one(self, cache: CartCache) -> None:
        cache.put(NEW)

        cache.offer(OLD)
        cache.put(OLD)

        assert cache.get("ana") == NEW

    def test_between_hold_and_put_nobody_finds_or_leaves_a_copy(self, cache: CartCache) -> None:
        cache.put(OLD)

        cache.hold(["ana"])
        cache.offer(OLD)
        assert cache.get("ana") is None

        cache.put(NEW)
        assert cache.get("ana") == NEW

    def test_a_slow_writer_does_not_put_an_old_cart_over_anothers_hold(
        self, cache: CartCache
    ) -> None:
        """Two threads: the first commits 1 and is slow, the second is already at 3."""
        cache.hold(["ana"])
        with ThreadPoolExecutor(1) as second:
            second.submit(cache.hold, ["ana"]).result()
            second.submit(cache.put, Cart("ana", (MUG,), 2)).result()
            second.submit(cache.hold, ["ana"]).result()

        cache.put(Cart("ana", (MUG,), 1))

        assert cache.get("ana") is None

    def test_who_holds_last_but_commits_first_does_not_bring_the_old_cart_back(
        self, cache: CartCache
    ) -> None:
        """Two threads: this one holds first, waits for the row, and commits 2 after 1."""
        cache.hold(["ana"])
        with ThreadPoolExecutor(1) as second:
            second.submit(cache.hold, ["ana"]).result()
            cache.put(NEW)
            assert cache.get("ana") is None

            second.submit(cache.put, OLD).result()

        assert cache.get("ana") == NEW

    def test_who_tells_of_anothers_change_does_not_bring_its_own_old_cart_back(
        self, cache: CartCache
    ) -> None:
        """Three threads: this one commits 1 and is slow, the next is done with 2, one begins."""
        cache.hold(["ana"])
        with ThreadPoolExecutor(1) as second:
            second.submit(cache.hold, ["ana"]).result()
            second.submit(cache.put, NEW).result()
        cache._owe(["ana"])  # As `hold` begins: whoever comes to Redis next tells it.

        cache.put(OLD)

        assert cache.get("ana") is None

    def test_after_a_hold_a_cart_may_begin_anew(self, cache: CartCache) -> None:
        cache.put(Cart("guest-1", (MUG,), version=57))

        cache.hold(["guest-1"])
        cache.put(Cart("guest-1", (MUG,), version=1))

        found = cache.get("guest-1")
        assert found is not None
        assert found.version == 1

    def test_copies_and_holds_go_by_themselves(self, cache: CartCache, redis_url: str) -> None:
        cache.put(NEW)
        cache.hold(["bob"])

        with redis.Redis.from_url(redis_url) as client:
            lives = {key: client.ttl(f"cart:1:{key}") for key in ("ana", "bob")}

        assert 0 < int(lives["ana"]) <= cart_cache.COPY_LIVES_S
        assert 0 < int(lives["bob"]) <= cart_cache.HOLD_S

    def test_however_many_write_at_once_the_newest_copy_stays(self, redis_url: str) -> None:
        def put(version: int) -> None:
            CartCache(redis_url, timeout_s=REDIS_WITHIN_S).put(Cart("ana", (MUG,), version))

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(put, [*range(1, 40), *range(40, 0, -1)]))

        found = CartCache(redis_url, timeout_s=REDIS_WITHIN_S).get("ana")
        assert found is not None
        assert found.version == 40


class TestRedisAway:
    @pytest.fixture
    def address(self, tmp_path: Path) -> Path:
        return tmp_path / "socket"

    @pytest.fixture
    def hanging(self, address: Path) -> Iterator[socket.socket]:
        """Somebody who takes connections and never answers."""
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(address))
            server.listen(16)
            yield server

    def test_nothing_is_raised_and_nothing_found(self, address: Path) -> None:
        cache = CartCache(f"unix://{address}", ask_again_s=0)

        cache.hold(["ana"])
        cache.put(NEW)
        cache.offer(NEW)

        assert cache.get("ana") is None

    def test_one_that_hangs_is_waited_for_now_and_then_and_not_by_each_request(
        self, hanging: socket.socket, address: Path
    ) -> None:
        cache = CartCache(f"unix://{address}", timeout_s=0.1, ask_again_s=600)

        for _ in range(100):
            cache.get("ana")

        hanging.settimeout(0)
        with hanging.accept()[0], pytest.raises(BlockingIOError):
            hanging.accept()

    def test_a_copy_from_before_is_not_believed_when_it_is_back(
        self, cache: CartCache, redis_url: str, address: Path
    ) -> None:
        cache.put(OLD)
        away = CartCache(f"unix://{address}", timeout_s=REDIS_WITHIN_S, ask_again_s=0)
        away.hold(["ana"])
        away.put(NEW)

        address.symlink_to(redis_url.removeprefix("unix://"))

        assert away.get("ana") is None
        assert cache.get("ana") is None, "others do not find it either"

    def test_one_that_went_away_between_hold_and_put_is_told_when_it_is_back(
        self, cache: CartCache, redis_url: str, address: Path
    ) -> None:
        real = redis_url.removeprefix("unix://")
        address.symlink_to(real)
        flaky = CartCache(f"unix://{address}", timeout_s=REDIS_WITHIN_S, ask_again_s=0)
        flaky.hold(["ana"])
        cache.put(OLD)  # Of somebody who changed it in between, and commits first.

        address.unlink()
        with redis.Redis.from_url(redis_url) as client:
            client.client_kill_filter(_type="normal", skipme=True)
        flaky.put(NEW)
        address.symlink_to(real)

        assert flaky.get("ana") is None
        assert cache.get("ana") is None

    def test_more_than_a_batch_is_told_in_several(
        self, cache: CartCache, redis_url: str, address: Path
    ) -> None:
        names = [f"c-{number}" for number in range(cart_cache.SETTLE_BATCH + 1)]
        for name in names:
            cache.put(Cart(name, (), version=1))
        away = CartCache(f"unix://{address}", timeout_s=REDIS_WITHIN_S, ask_again_s=0)
        away.hold(names)
        address.symlink_to(redis_url.removeprefix("unix://"))

        answers = [away.settle(), away.settle()]

        assert answers == [False, True]
        assert [name for name in names if cache.get(name)] == []
