"""How many reservations a second: on one hot SKU, over many, and beside a worker that is stalled.

`python services/inventory-service/bench/reservations.py [--workers 4] [--orders 1000]`

Real consumers in processes of their own, over in-memory queues and a real PostgreSQL of its own.
Figures are of this machine on this day: compare, do not quote.
"""

import argparse
import logging
import multiprocessing
import os
import random
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any, cast

import structlog
from common import consumer
from common.consumer import Queue
from common.db import Database
from common.events import Event, parse
from common.ids import new_id
from common.testing import FakeSqs, migrated_database
from harness.process import surroundings
from inventory import worker
from sqlalchemy import text

SEED = 20_261_123
# Of a real basket, rounded; the longest of the year has 161.
LINES = 9
SKUS = [f"SKU-{number:04}" for number in range(1000)]
PIECES = 1_000_000
# How long a stalled worker is watched: longer than a lock may be waited for, shorter than an idle
# transaction may live.
STALLED_S = 3.0


def placed(*skus: str) -> str:
    """An order for one piece of each of *skus*, as the queue delivers it."""
    order_id = new_id()
    data = {
        "order_id": order_id,
        "customer_id": "customer-1",
        "amount_minor": 1999,
        "currency": "USD",
        "payment_method": "pm_visa",
        "lines": [{"sku": sku, "quantity": 1} for sku in skus],
    }
    return Event("order.placed", order_id, data).to_json("bench")


def hush() -> None:
    """A line of log for each event would be measured too."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def pool_of(workers: int) -> ProcessPoolExecutor:
    """*workers* processes, started and with all they import."""
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), hush)
    list(pool.map(time.sleep, [0.2] * workers))
    return pool


def work(url: str, bodies: list[str], until: float | None = None) -> int:
    """Handle *bodies* by one consumer; how many were handled (by the time *until*)."""
    db = Database(url, pool_size=1)
    sqs = FakeSqs(bodies)
    queue = Queue(cast("Any", sqs), "https://queue.example/in", "https://queue.example/dead", 0)
    while sqs.left and (until is None or time.time() < until):
        consumer.run_once(queue, worker.HANDLERS, db, worker.prepare)
    db.engine.dispose()
    return len(bodies) - len(sqs.left) - len(sqs.dead)


def measure(url: str, workers: int, orders: list[str]) -> float:
    shares = [orders[number::workers] for number in range(workers)]
    with pool_of(workers) as pool:
        started = time.perf_counter()
        done = sum(pool.map(work, [url] * workers, shares))
        return done / (time.perf_counter() - started)


def beside_a_stalled_worker(url: str, workers: int) -> float:
    """Orders handled a second while a transaction that holds one other SKU does nothing."""
    shares = [
        [placed(SKUS[(n * workers + number) % len(SKUS)]) for n in range(1000)]
        for number in range(workers)
    ]
    stalled = Database(url, pool_size=1)
    event = parse(placed("STALLED"))
    with pool_of(workers) as pool, stalled.transaction() as tx:
        tx.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        worker.prepare(tx, [event])
        worker.HANDLERS[event.type](tx, event)
        started = time.time()
        until = started + STALLED_S
        done = sum(pool.map(work, [url] * workers, shares, [until] * workers))
        took_s = time.time() - started
    stalled.engine.dispose()
    return done / took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--orders", type=int, default=1000)
    chosen = parser.parse_args()
    hush()
    dice = random.Random(SEED)  # noqa: S311
    print(f"seed {SEED}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")  # noqa: T201
    with migrated_database("inventory") as url:
        db = Database(url)
        with db.transaction() as tx:
            tx.execute(
                text("INSERT INTO stock SELECT sku, :pieces, 0 FROM unnest(:skus) AS s (sku)"),
                {"skus": [*SKUS, "HOT", "STALLED"], "pieces": PIECES},
            )
        count = range(chosen.orders)
        for workers in sorted({1, chosen.workers}):
            for name, baskets in (
                ("one hot SKU, one line", [["HOT"] for _ in count]),
                ("1,000 SKUs, one line", [[dice.choice(SKUS)] for _ in count]),
                (f"1,000 SKUs, {LINES} lines", [dice.sample(SKUS, LINES) for _ in count]),
            ):
                rate = measure(url, workers, [placed(*skus) for skus in baskets])
                print(f"{name}, {workers} workers: {rate:.0f}/s", flush=True)  # noqa: T201
        rate = beside_a_stalled_worker(url, chosen.workers)
        print(f"beside a stalled worker, {chosen.workers} workers: {rate:.0f}/s")  # noqa: T201
        db.engine.dispose()


if __name__ == "__main__":
    surroundings.clean()
    main()
