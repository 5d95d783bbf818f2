from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any, cast

import pytest
from cart import store, use_cases
from cart.clients import CartCache
from cart.domain import Cart, Line, Owner
from cart.use_cases import Shopper
from cart.worker import HANDLERS, expire, preparing, settle
from common import consumer
from common.consumer import RECEIVES_MAX, Queue
from common.db import Database
from common.events import Event
from common.ids import new_id
from common.testing import REDIS_WITHIN_S, FakeSqs, deliver
from sqlalchemy import Connection

ORDER_ID = new_id()
ANA, GUEST = Shopper("ana", Owner.CUSTOMER), Shopper("guest-1", Owner.GUEST)


@pytest.fixture(autouse=True)
def cart_of_ana(db: Database) -> None:
    with db.transaction() as tx:
        store.replace_lines(tx, "ana", Owner.CUSTOMER, [Line("MUG-1", 3), Line("JAR-1", 1)])


def order_confirmed(order_id: str = ORDER_ID, **changes: Any) -> Event:
    bought = [
        {"sku": sku, "name": sku, "quantity": quantity, "unit_price_minor": 100}
        for sku, quantity in {"MUG-1": 2, "JAR-1": 1}.items()
    ]
    data = {
        "order_id": order_id, "customer_id": "ana", "email": "ana@example.com",
        "total_minor": 300, "currency": "USD", "lines": bought,
    }  # fmt: skip
    return Event("order.confirmed", order_id, data | changes)


def lines(db: Database, customer_id: str = "ana") -> dict[str, int]:
    with db.transaction() as tx:
        return {line.sku: line.quantity for line in store.get(tx, customer_id).lines}


def test_what_was_bought_leaves_the_cart(db: Database) -> None:
    outcome = deliver(db, HANDLERS, order_confirmed())

    assert lines(db) == {"MUG-1": 1}
    assert (outcome.left, outcome.dead) == ([], [])


def test_the_same_event_twice_takes_it_out_once(db: Database) -> None:
    event = order_confirmed()

    deliver(db, HANDLERS, event, event)
    deliver(db, HANDLERS, event)

    assert lines(db) == {"MUG-1": 1}


def test_the_same_order_told_by_another_event_takes_nothing_more(db: Database) -> None:
    deliver(db, HANDLERS, order_confirmed())
    with db.transaction() as tx:
        use_cases.put_line(tx, ANA, Line("MUG-1", 2))

    outcome = deliver(db, HANDLERS, order_confirmed())

    assert lines(db) == {"MUG-1": 2}
    assert (outcome.left, outcome.dead) == ([], [])


def test_another_order_takes_out_its_own(db: Database) -> None:
    deliver(db, HANDLERS, order_confirmed(), order_confirmed(new_id()))

    assert lines(db) == {}


def test_late_news_leaves_what_was_put_in_since(db: Database) -> None:
    with db.transaction() as tx:
        use_cases.replace_cart(tx, ANA, (Line("TENT-1", 1), Line("MUG-1", 5)))

    deliver(db, HANDLERS, order_confirmed())

    assert lines(db) == {"TENT-1": 1, "MUG-1": 3}


def test_the_cart_of_somebody_else_stays_as_it_is(db: Database) -> None:
    outcome = deliver(db, HANDLERS, order_confirmed(customer_id="bob"))

    assert lines(db) == {"MUG-1": 3, "JAR-1": 1}
    assert lines(db, "bob") == {}
    assert (outcome.left, outcome.dead) == ([], [])


def test_lines_of_one_product_add_up(db: Database) -> None:
    mug = {"sku": "MUG-1", "name": "Mug", "quantity": 1, "unit_price_minor": 100}

    deliver(db, HANDLERS, order_confirmed(lines=[mug, mug]))

    assert lines(db) == {"MUG-1": 1, "JAR-1": 1}


def test_a_reader_of_the_cart_learns_that_it_changed(db: Database) -> None:
    deliver(db, HANDLERS, order_confirmed())

    with db.transaction() as tx:
        assert store.get(tx, "ana").version == 2


@pytest.mark.parametrize(
    "event",
    [
        Event("order.confirmed", ORDER_ID, {}),
        order_confirmed(lines=None),
        order_confirmed(lines=[{"sku": "MUG-1"}]),
        order_confirmed(lines=[{"sku": "MUG-1", "quantity": 0}]),
        order_confirmed(lines=[{"sku": "MUG-1", "quantity": "2"}]),
        order_confirmed(order_id="not-a-uuid"),
        order_confirmed(customer_id=""),
        order_confirmed(customer_id="a\x00"),
        order_confirmed(customer_id=7),
    ],
    ids=[
        "empty", "no lines", "no quantity", "quantity 0", "quantity as text", "order id",
        "no customer", "NUL", "number",
    ],
)  # fmt: skip
def test_what_is_no_confirmed_order_is_dead_lettered_with_the_reason(
    db: Database, event: Event
) -> None:
    outcome = deliver(db, HANDLERS, event, receives=RECEIVES_MAX)

    assert lines(db) == {"MUG-1": 3, "JAR-1": 1}
    assert outcome.left == []
    assert [reason.partition(":")[0] for _, reason in outcome.dead] == ["ValidationError"]


def test_the_reason_tells_nothing_about_the_customer(db: Database) -> None:
    event = order_confirmed(email="ana@example.com", customer_id=["ana@example.com"])

    outcome = deliver(db, HANDLERS, event, receives=RECEIVES_MAX)

    assert len(outcome.dead) == 1
    assert "example.com" not in outcome.dead[0][1]


class TestAGuestWhoSignsInBeforeTheOrderIsConfirmed:
    def test_what_the_guest_bought_leaves_the_customer_s_cart(self, db: Database) -> None:
        with db.transaction() as tx:
            use_cases.replace_cart(tx, GUEST, (Line("MUG-1", 2), Line("TENT-1", 1)))
            use_cases.merge(tx, ANA, GUEST.id)
        assert lines(db) == {"MUG-1": 5, "JAR-1": 1, "TENT-1": 1}

        deliver(db, HANDLERS, order_confirmed(customer_id=GUEST.id))

        assert lines(db) == {"MUG-1": 3, "TENT-1": 1}

    def test_what_the_guest_s_cart_still_has_leaves_that_one_first(self, db: Database) -> None:
        with db.transaction() as tx:
            use_cases.replace_cart(tx, GUEST, (Line("MUG-1", 1),))
            use_cases.merge(tx, ANA, GUEST.id)
            use_cases.replace_cart(tx, GUEST, (Line("MUG-1", 2), Line("JAR-1", 1)))

        deliver(db, HANDLERS, order_confirmed(customer_id=GUEST.id))

        assert lines(db, GUEST.id) == {}
        assert lines(db) == {"MUG-1": 4, "JAR-1": 1}


class TestBatches:
    def run(self, db: Database, cache: CartCache, *events: Event) -> None:
        sqs = FakeSqs([event.to_json("order") for event in events])
        queue = Queue(cast("Any", sqs), "http://queue/inbox", "http://queue/dead", wait_s=0)
        prepare, prepared = preparing(cache), []

        def counted(tx: Connection, batch: Sequence[Event]) -> None:
            prepared.append(len(batch))
            prepare(tx, batch)

        consumer.run_once(queue, HANDLERS, db, counted)
        assert (sqs.left, sqs.dead) == ([], [])
        assert prepared == [len(events)], "nothing was rolled back and split"

    def test_a_copy_of_the_cart_from_before_is_not_found_any_more(
        self, db: Database, cache: CartCache
    ) -> None:
        cache.put(Cart("ana", (Line("MUG-1", 3),), version=1))

        self.run(db, cache, order_confirmed())

        assert cache.get("ana") is None
        cache.offer(Cart("ana", (Line("MUG-1", 3),), version=1))
        assert cache.get("ana") is None, "a reader who was late may not bring it back"

    def test_nor_is_one_of_the_customer_whom_a_guest_turned_out_to_be(
        self, db: Database, cache: CartCache
    ) -> None:
        with db.transaction() as tx:
            use_cases.replace_cart(tx, GUEST, (Line("MUG-1", 2),))
            cache.put(use_cases.merge(tx, ANA, GUEST.id).cart)

        self.run(db, cache, order_confirmed(customer_id=GUEST.id))

        assert cache.get("ana") is None

    def test_two_workers_with_the_same_carts_in_other_orders_wait_and_lose_nothing(
        self, db: Database, cache: CartCache
    ) -> None:
        names = [f"c-{number}" for number in range(10)]
        with db.transaction() as tx:
            for name in names:
                use_cases.replace_cart(tx, Shopper(name, Owner.CUSTOMER), (Line("MUG-1", 40),))
        at_once = Barrier(2)

        def work(order: list[str]) -> None:
            at_once.wait()
            for _ in range(8):
                bought = [order_confirmed(new_id(), customer_id=name) for name in order]
                self.run(db, cache, *bought)

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(work, [names, names[::-1]]))

        assert {name: lines(db, name) for name in names} == {name: {"MUG-1": 8} for name in names}


def test_carts_that_expired_are_gone_from_the_copies_too(db: Database, cache: CartCache) -> None:
    with db.transaction() as tx:
        cache.put(use_cases.replace_cart(tx, GUEST, (Line("MUG-1", 1),)))

    gone = expire(db, cache, datetime.now(UTC) + timedelta(days=8))

    assert gone == 1
    assert cache.get(GUEST.id) is None


def test_redis_is_told_by_and_by_what_it_missed(
    valkey_url: str, cache: CartCache, tmp_path: Path
) -> None:
    cache.put(Cart("ana", (), version=1))
    away = CartCache(f"unix://{tmp_path}/socket", timeout_s=REDIS_WITHIN_S, ask_again_s=0)
    away.hold(["ana"])
    assert cache.get("ana") is not None

    (tmp_path / "socket").symlink_to(valkey_url.removeprefix("unix://"))
    done = settle(away)

    assert done == 0, "it never makes its loop busy"
    assert cache.get("ana") is None
