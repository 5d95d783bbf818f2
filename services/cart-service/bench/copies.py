"""What copies in Redis are worth: reads and writes with and without them, one thread and eight.

`python services/cart-service/bench/copies.py [--requests 4000] [--rounds 3]`

The real routes over a real PostgreSQL and a real Valkey of its own, on unix sockets. Wall-clock
figures are of this machine on this day; CPU is that of the service's process and of PostgreSQL's.
"""

import argparse
import logging
import os
import random
import time
from collections.abc import Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psutil
import structlog
from cart.app import create_app
from cart.settings import Settings
from common.auth import Role
from common.testing import JWT_SECRET, bearer, migrated_database, valkey
from flask import Flask
from harness.process import surroundings
from pydantic import SecretStr
from sqlalchemy import create_engine, text

SEED = 20_261_123
# Shoppers who look at their carts again and again; a tenth of all carts are of 161 lines.
SHOPPERS = 200
LINES, LINES_OF_SOME = 9, 161
THREADS = 8


def server_of(url: str) -> psutil.Process:
    """PostgreSQL's first process; other servers may run on this machine."""
    engine = create_engine(url)
    with engine.connect() as connection:
        server = psutil.Process(connection.scalar(text("SELECT pg_backend_pid()"))).parent()
    engine.dispose()
    assert server is not None
    return server


def database_cpu_s(server: psutil.Process) -> float:
    times = [process.cpu_times() for process in server.children()]
    return sum(each.user + each.system for each in times)


def fill(app: Flask) -> None:
    client = app.test_client()
    for number in range(SHOPPERS):
        count = LINES_OF_SOME if number % 10 == 0 else LINES
        lines = [{"sku": f"SKU-{n:04}", "quantity": 1} for n in range(count)]
        answer = client.put("/cart", json={"lines": lines}, headers=HEADERS[number])
        assert answer.status_code == 200, answer.get_data(as_text=True)


def read(app: Flask, number: int) -> int:
    return app.test_client().get("/cart", headers=HEADERS[number]).status_code


def write(app: Flask, number: int) -> int:
    body = {"quantity": random.Random(number).randint(1, 100)}  # noqa: S311
    return (
        app.test_client()
        .put("/cart/lines/SKU-0001", json=body, headers=HEADERS[number])
        .status_code
    )


HEADERS = {number: bearer(Role.CUSTOMER, f"customer-{number}") for number in range(SHOPPERS)}


def measure(
    name: str,
    act: Callable[[int], int],
    server: psutil.Process,
    *,
    requests: int,
    threads: int,
) -> None:
    whose = random.Random(SEED).choices(range(SHOPPERS), k=requests)  # noqa: S311
    took: list[float] = []

    def one(number: int) -> None:
        started = time.perf_counter()
        status = act(number)
        took.append(time.perf_counter() - started)
        assert status == 200, status

    database_before, own_before, started = (
        database_cpu_s(server),
        time.process_time(),
        time.perf_counter(),
    )
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, whose))
    wall_s = time.perf_counter() - started
    own_s, database_s = time.process_time() - own_before, database_cpu_s(server) - database_before
    took.sort()
    p50, p95 = (took[int(len(took) * share)] * 1000 for share in (0.5, 0.95))
    print(  # noqa: T201
        f"{name:28} {threads} threads  {requests / wall_s:7.0f}/s  p50 {p50:6.2f} ms"
        f"  p95 {p95:6.2f} ms  own CPU {own_s / requests * 1e6:5.0f} us"
        f"  PostgreSQL CPU {database_s / requests * 1e6:5.0f} us"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    requests, rounds = chosen.requests, chosen.rounds
    logging.disable(logging.CRITICAL)
    with migrated_database("cart") as url, valkey() as redis_url:

        def app(redis: str) -> Flask:
            made = create_app(
                Settings(
                    database_url=SecretStr(url),
                    jwt_secret=SecretStr(JWT_SECRET),
                    redis_url=redis,
                    catalog_url="http://catalog",
                    inventory_url="http://inventory",
                )
            )
            structlog.configure(
                processors=[silent],
                logger_factory=structlog.ReturnLoggerFactory(),
                cache_logger_on_first_use=False,
            )
            return made

        apps = {"with copies": app(redis_url), "Redis down": app("unix:///nowhere/socket")}
        fill(apps["with copies"])
        server = server_of(url)
        for _ in range(rounds):  # In turn, so that a busy moment of the machine hits both.
            for threads in (1, THREADS):
                for what, act in (("GET /cart", read), ("PUT /cart/lines", write)):
                    for how, made in apps.items():
                        named = partial(act, made)
                        measure(f"{what}, {how}", named, server, requests=requests, threads=threads)


def silent(_logger: Any, _method: str, _event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    raise structlog.DropEvent


if __name__ == "__main__":
    surroundings.clean()
    os.environ.setdefault("SERVICE_NAME", "cart")
    main()
