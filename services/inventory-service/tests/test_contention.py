"""Many workers and many requests want the same stock: nothing oversold, nobody in a ring.

RACES=20 repeats the race for the last pieces as often as the acceptance of the shop asks for.
"""

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import pytest
from common import consumer
from common.consumer import Handler, Queue
from common.db import Database
from common.events import Event
from common.ids import new_id
from common.testing import FakeSqs, clean_database, promised, published, until_a_session_waits
from inventory import store, use_cases
from inventory.domain import Change, Line, Payable, Reason, Stock
from inventory.worker import HANDLERS, prepare
from sqlalchemy import Connection, ExceptionContext
from sqlalchemy.event import listen, listens_for

PAYABLE = Payable("customer-1", 1999, "USD", "pm_visa")
DELIVERY = Change(Reason.RECEIPT, "delivery", "staff-1")
COUNTED = Change(Reason.CYCLE_COUNT, "counted", "staff-1")
DEADLOCK = "40P01"
# On a busy machine a batch takes longer than the half second that our statements wait for a lock.
WAIT_S = 20
RACES = int(os.environ.get("RACES", "1"))
SHOPPERS, PIECES = 200, 10
CONSUMERS, THREADS = 5, 8
SEED = 20_261_123


class Shop:
    """Databases and consumers of several workers, and what PostgreSQL refused them."""

    def __init__(self, database_url: str) -> None:
        self.url = database_url
        self.refused: Counter[str] = Counter()

    @contextmanager
    def database(self, lock_timeout: str = f"{WAIT_S}s") -> Iterator[Database]:
        """One connection that waits for locks as long as it takes; rings are still broken."""
        db = Database(self.url, pool_size=1)

        @listens_for(db.engine, "connect")
        def wait_longer(connection: Any, _: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute(f"SET lock_timeout = '{lock_timeout}'")
                cursor.execute(f"SET statement_timeout = '{WAIT_S}s'")
                cursor.execute("SET transaction_timeout = 0")
                cursor.execute("SET idle_in_transaction_session_timeout = 0")
            connection.commit()

        listen(db.engine, "handle_error", self._note)
        try:
            yield db
        finally:
            db.engine.dispose()

    def consume(self, handlers: Mapping[str, Handler], events: Sequence[Event]) -> list[str]:
        """A worker of its own handles *events* in batches; what it could not handle."""
        sqs = FakeSqs([event.to_json("test") for event in events])
        queue = Queue(cast("Any", sqs), "https://queue.example/in", "https://queue.example/no", 0)
        with self.database() as db:
            while sqs.left:
                consumer.run_once(queue, handlers, db, prepare)
        return [reason for _, reason in sqs.dead]

    def _note(self, context: ExceptionContext) -> None:
        self.refused[getattr(context.original_exception, "pgcode", None) or "?"] += 1


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    with clean_database(database_url):
        yield Shop(database_url)


def _placed(order_id: str, *lines: tuple[str, int]) -> Event:
    data = {
        "order_id": order_id,
        "customer_id": "customer-1",
        "amount_minor": 1999,
        "currency": "USD",
        "payment_method": "pm_visa",
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
    }
    return promised("order.placed", order_id, data)


def _settled(event_type: str, order_id: str) -> Event:
    return promised(event_type, order_id, {"order_id": order_id})


def _receive(db: Database, skus: Sequence[str], pieces: int) -> None:
    with db.transaction() as tx:
        use_cases.receive_stock(tx, [Line(sku, pieces) for sku in skus], DELIVERY)


def _levels(db: Database, *skus: str) -> list[Stock]:
    with db.transaction() as tx:
        return use_cases.query_stock(tx, skus)[0]


def _audited(db: Database) -> int:
    """SKUs whose balances are not what movements and reservations come to."""
    with db.transaction() as tx:
        return use_cases.audit_stock(tx, 100).different


def _counting() -> tuple[Counter[str], Mapping[str, Handler]]:
    """The handlers, and how often each event reached one: more than once after a rollback."""
    calls: Counter[str] = Counter()

    def counting(handler: Handler) -> Handler:
        def handle(tx: Connection, event: Event) -> None:
            calls[event.id] += 1
            handler(tx, event)

        return handle

    return calls, {event_type: counting(handler) for event_type, handler in HANDLERS.items()}


def _all_at_once(*works: Callable[[], object]) -> list[object]:
    """Each of *works* in a thread of its own, begun together; what they return."""
    start = threading.Barrier(len(works), timeout=WAIT_S)

    def begin(work: Callable[[], object]) -> object:
        start.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(begin, works))


def _reserve_each(shop: Shop, order_ids: Sequence[str]) -> None:
    with shop.database() as db:
        for order_id in order_ids:
            with db.transaction() as tx:
                use_cases.reserve_stock(tx, order_id, PAYABLE, [Line("MUG", 1)], cause=new_id())


@pytest.mark.parametrize("race", range(RACES))
def test_two_hundred_orders_get_the_last_ten_pieces_between_them(shop: Shop, race: int) -> None:
    """Three in five by events, each delivered to two consumers; the others by direct calls."""
    orders = [new_id() for _ in range(SHOPPERS)]
    by_event, directly = orders[: SHOPPERS * 3 // 5], orders[SHOPPERS * 3 // 5 :]
    events = [_placed(order_id, ("MUG", 1)) for order_id in by_event]
    with shop.database() as db:
        _receive(db, ["MUG"], PIECES)

        dead = _all_at_once(
            *(
                lambda n=n: shop.consume(
                    HANDLERS, events[n::CONSUMERS] + events[(n + 1) % CONSUMERS :: CONSUMERS]
                )
                for n in range(CONSUMERS)
            ),
            *(lambda n=n: _reserve_each(shop, directly[n::THREADS]) for n in range(THREADS)),
        )

        told = Counter(event.type for event in published(db) if event.subject in set(orders))
        assert told == {"stock.reserved": PIECES, "stock.rejected": SHOPPERS - PIECES}
        assert _levels(db, "MUG") == [Stock("MUG", PIECES, PIECES)]
        assert [each for each in dead if each] == []
        assert shop.refused == {}
        assert _audited(db) == 0


def test_workers_with_overlapping_baskets_in_any_order_never_form_a_ring(shop: Shop) -> None:
    """Place, confirm and cancel, in batches of ten, each event once: nothing is rolled back."""
    dice = random.Random(SEED)  # noqa: S311
    skus = [f"SKU-{number:02}" for number in range(30)]
    calls, handlers = _counting()

    def day(number: int) -> list[Event]:
        orders = [new_id() for _ in range(40)]
        placed = [
            _placed(order_id, *((sku, 1) for sku in dice.sample(skus, dice.randint(1, 12))))
            for order_id in orders
        ]
        settled = [
            _settled(dice.choice(["order.confirmed", "order.cancelled"]), order_id)
            for order_id in dice.sample(orders, len(orders))
        ]
        return placed + settled if number % 2 else placed[::-1] + settled

    days = [day(number) for number in range(CONSUMERS)]
    with shop.database() as db:
        _receive(db, skus, 1000)

        def count_the_shelf() -> None:
            with shop.database() as mine:
                for sku in skus + skus[::-1]:
                    _receive(mine, _delivery_with(sku, skus), 1)
                    with mine.transaction() as tx:
                        use_cases.adjust_stock(tx, sku, -1, COUNTED)

        dead = _all_at_once(
            *(lambda events=events: shop.consume(handlers, events) for events in days),
            count_the_shelf,
        )

        assert [each for each in dead if each] == []
        assert shop.refused == {}
        assert len(calls) == CONSUMERS * 80
        assert set(calls.values()) == {1}, f"a batch was rolled back and tried again, seed {SEED}"
        assert sum(level.reserved for level in _levels(db, *skus)) == 0
        assert _audited(db) == 0


def _delivery_with(sku: str, skus: Sequence[str]) -> list[str]:
    """A SKU that may be new and a few of *skus*, backwards: deliveries come in no order at all."""
    return [f"NEW-{sku}", *(other for other in skus[::-1] if other <= sku)][:6]


def test_events_of_the_same_orders_on_several_workers_are_answered_alike(shop: Shop) -> None:
    """An order is asked again by another event, on another worker, in the opposite order."""
    orders = [new_id() for _ in range(20)]
    with shop.database() as db:
        _receive(db, ["MUG", "TEA"], 1000)

        dead = _all_at_once(
            *(
                lambda order=order: shop.consume(
                    HANDLERS, [_placed(order_id, ("MUG", 1), ("TEA", 2)) for order_id in order]
                )
                for order in (orders, orders[::-1], orders, orders[::-1])
            )
        )

        assert [each for each in dead if each] == []
        assert shop.refused == {}
        assert _levels(db, "MUG", "TEA") == [Stock("MUG", 1000, 20), Stock("TEA", 1000, 40)]
        assert Counter(event.subject for event in published(db)) == dict.fromkeys(orders, 4)


def test_orders_and_their_cancellations_meet_on_several_workers(shop: Shop) -> None:
    """Neither has a row to lock yet: each is the first to hear of its orders."""
    orders = [new_id() for _ in range(60)]
    placed = [_placed(order_id, (f"SKU-{n}", 1)) for n, order_id in enumerate(orders)]
    calls, handlers = _counting()

    def cancelled(order: Sequence[str]) -> list[Event]:
        return [_settled("order.cancelled", order_id) for order_id in order]

    with shop.database() as db:
        _receive(db, [f"SKU-{n}" for n in range(60)], 1)

        dead = _all_at_once(
            *(
                lambda events=events: shop.consume(handlers, events)
                for events in (placed, placed[::-1], cancelled(orders), cancelled(orders[::-1]))
            )
        )

        assert [each for each in dead if each] == []
        assert shop.refused == {}
        assert set(calls.values()) == {1}, "a batch was rolled back and tried again"
        assert sum(level.reserved for level in _levels(db, *(f"SKU-{n}" for n in range(60)))) == 0
        assert _audited(db) == 0


@pytest.mark.parametrize("known", [["A", "M", "Z"], ["none"]], ids=["known", "new"])
def test_skus_are_locked_in_one_order_in_whichever_they_are_asked_for(
    shop: Shop, known: list[str]
) -> None:
    """The other waits for M, which comes before Z: so Z is still to be had."""
    lock = store.add_unknown if known == ["none"] else store.lock_stock

    def other_worker() -> None:
        with shop.database() as mine, mine.transaction() as tx:
            lock(tx, ["Z", "M", "A"])

    with shop.database() as db:
        _receive(db, known, 1)
        with ThreadPoolExecutor(1) as thread, db.transaction() as tx:
            lock(tx, ["M"])
            other = thread.submit(other_worker)
            until_a_session_waits(tx)
            lock(tx, ["Z"])
            tx.commit()
            other.result(timeout=WAIT_S)

    assert shop.refused == {}


def test_new_skus_received_in_opposite_order_do_not_form_a_ring(shop: Shop) -> None:
    deliveries = [[f"SKU-{day}-{number:04}" for number in range(1000)] for day in range(3)]
    every_day = threading.Barrier(3, timeout=WAIT_S)

    def receive(step: int) -> None:
        with shop.database() as mine:
            for skus in deliveries:
                every_day.wait()
                _receive(mine, skus[::step], 1)

    _all_at_once(lambda: receive(1), lambda: receive(-1), lambda: receive(1))

    assert shop.refused == {}
    with shop.database() as db:
        assert _levels(db, deliveries[2][999]) == [Stock(deliveries[2][999], 3, 0)]
        assert _audited(db) == 0


def test_a_stalled_worker_blocks_only_those_who_want_its_stock(shop: Shop) -> None:
    with shop.database() as db:
        _receive(db, ["MUG", "TEA"], 10)
    wants_tea, wants_mug = _placed(new_id(), ("TEA", 1)), _placed(new_id(), ("MUG", 1))

    sqs = FakeSqs([event.to_json("test") for event in (wants_mug, wants_tea)])
    queue = Queue(cast("Any", sqs), "https://queue.example/in", "https://queue.example/no", 0)

    with shop.database() as stalled, shop.database(lock_timeout="0.2s") as other:
        with stalled.transaction() as tx:
            prepare(tx, [_placed(new_id(), ("MUG", 1))])
            consumer.run_once(queue, HANDLERS, other, prepare)

            told = {event.subject: event.type for event in published(other)}
            assert told == {wants_tea.subject: "stock.reserved"}
            assert len(sqs.left) == 1

        consumer.run_once(queue, HANDLERS, other, prepare)
        assert sqs.left == []
        assert [level.reserved for level in _levels(other, "MUG", "TEA")] == [1, 1]


# A worker that says when it is in the middle of a batch, and then waits to be killed.
WORKER = """
import sys
from typing import Any
from common import consumer
from common.consumer import Queue
from common.db import Database
from common.testing import PATIENCE, FakeSqs
from inventory.worker import HANDLERS, prepare

bodies = sys.stdin.readline().rstrip("\\n").split("\\t")
handled = 0

def stopping(handler):
    def handle(tx, event):
        global handled
        handler(tx, event)
        handled += 1
        if handled == int(sys.argv[2]):
            print("in the middle", file=sys.stderr, flush=True)
            sys.stdin.readline()
    return handle

queue = Queue(FakeSqs(bodies), "https://queue.example/in", "https://queue.example/no", 0)
handlers = {name: stopping(handler) for name, handler in HANDLERS.items()}
db = Database(sys.argv[1], pool_size=1, patience=PATIENCE)
consumer.run_once(queue, handlers, db, prepare)
"""


@pytest.mark.parametrize("after", [1, 6, 9])
def test_a_worker_killed_in_the_middle_leaves_nothing_half(shop: Shop, after: int) -> None:
    sold = [new_id() for _ in range(3)]
    first = [_placed(order_id, ("MUG", 1), ("TEA", 1)) for order_id in sold]
    batch = [
        *(_placed(new_id(), ("MUG", 1), ("JAM", 2)) for _ in range(6)),
        _settled("order.confirmed", sold[0]),
        _settled("order.cancelled", sold[1]),
        _settled("order.confirmed", sold[2]),
    ]
    with shop.database() as db:
        _receive(db, ["MUG", "TEA", "JAM"], 20)
        shop.consume(HANDLERS, first)
        before = _levels(db, "MUG", "TEA", "JAM"), len(published(db))

        _kill_in_the_middle(shop.url, batch, after)

        assert (_levels(db, "MUG", "TEA", "JAM"), len(published(db))) == before
        assert _audited(db) == 0
        assert shop.consume(HANDLERS, batch) == []
        assert _levels(db, "MUG", "TEA", "JAM") == [
            Stock("MUG", 18, 6),
            Stock("TEA", 18, 0),
            Stock("JAM", 20, 12),
        ]
        assert _audited(db) == 0


def _kill_in_the_middle(database_url: str, batch: Sequence[Event], after: int) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, database_url, str(after)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stdin
    assert worker.stderr
    worker.stdin.write("\t".join(event.to_json("test") for event in batch) + "\n")
    worker.stdin.flush()
    said = worker.stderr.readline()
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    assert said == "in the middle\n"
    assert worker.returncode == -signal.SIGKILL
