"""Import the whole product list, then search it: how long each takes, and the plans.

`cartwright import-products products.csv --only-make` makes the file; then
`python services/catalog-service/bench/whole_list.py products.csv`. Starts its own PostgreSQL and
Valkey on unix sockets, and asks the application itself: no network is measured.
"""

import argparse
import logging
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from catalog import worker
from catalog.app import create_app
from catalog.clients import ProductCache
from catalog.domain.search import Filters, Search, Sort
from catalog.settings import Settings
from catalog.store import search as store
from common.auth import Role
from common.db import Database
from common.testing import JWT_SECRET, bearer, migrated_database, valkey
from flask import Flask
from harness.process import surroundings
from pydantic import SecretStr
from sqlalchemy.dialects import postgresql

SEED = 1
ROUNDS = 40
THREADS = 4
QUERIES: dict[str, Sequence[str]] = {
    "one word": ("milk", "bread", "chocolate", "shampoo", "coffee", "cards", "soup", "cheese"),
    "two words": ("apple sauce", "dog food", "ice cream", "hair care", "tv magazine"),
    "misspelt": ("choclate", "shampo", "coffe", "mlik", "yoghrt", "dogg fod", "tomatoe soop"),
    "found by most": ("grocery", "drug", "merchandise", "national"),
    "nothing": ("zzzzzz", "qwertyuiop"),
}  # fmt: skip


def measure(label: str, acts: Sequence[Callable[[], object]]) -> None:
    def timed(act: Callable[[], object]) -> float:
        began = time.perf_counter()
        act()
        return (time.perf_counter() - began) * 1000

    for act in acts[:8]:
        act()
    alone = [timed(act) for act in acts]
    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(timed, acts))
    cells = (f"{_p(times, 50):7.1f} {_p(times, 95):7.1f}" for times in (alone, together))
    sys.stdout.write(f"{label:44} {'   '.join(cells)}\n")


def _p(times: Sequence[float], percentile: int) -> float:
    return statistics.quantiles(times, n=100)[percentile - 1]


@contextmanager
def shop() -> Iterator[tuple[Flask, Database, ProductCache]]:
    with (
        valkey() as redis_url,
        migrated_database("catalog") as url,
    ):
        settings = Settings(
            database_url=SecretStr(url),
            jwt_secret=SecretStr(JWT_SECRET),
            redis_url=redis_url,
        )
        yield create_app(settings), Database(url), ProductCache(settings.redis_url)


def import_file(app: Flask, db: Database, cache: ProductCache, file: Path, label: str) -> None:
    headers = bearer(Role.STAFF, "sam") | {
        "Idempotency-Key": label.replace(" ", "-"),
        "Content-Type": "text/csv",
    }
    began = time.perf_counter()
    accepted = app.test_client().post("/product-imports", data=file.read_bytes(), headers=headers)
    uploaded = time.perf_counter()
    assert accepted.status_code == 202, accepted.text
    chunks = []
    while True:
        chunk_began = time.perf_counter()
        if not worker.import_chunk(db, cache):
            break
        chunks.append((time.perf_counter() - chunk_began) * 1000)
    done = app.test_client().get(accepted.location, headers=headers).get_json()
    sys.stdout.write(
        f"{label}: accepted in {uploaded - began:.2f} s, written in"
        f" {time.perf_counter() - uploaded:.1f} s, a chunk {_p(chunks, 50):.0f} ms,"
        f" at most {max(chunks):.0f} ms; {done}\n"
    )


def search(app: Flask, chance: random.Random) -> None:
    def get(path: str, **query: object) -> Callable[[], Any]:
        return lambda: app.test_client().get(path, query_string=query).get_json()

    sys.stdout.write(f"{'ms':44} {'alone p50/p95':>15}   {THREADS:>7} at once\n")
    mixed = []
    for kind, words in QUERIES.items():
        acts = [get("/products", q=chance.choice(words)) for _ in range(ROUNDS)]
        measure(f"search, {kind}", acts)
        mixed += acts if kind != "nothing" else []
        facets = [get("/products", q=chance.choice(words), facets="true") for _ in range(ROUNDS)]
        measure(f"search with facets, {kind}", facets)
    chance.shuffle(mixed)
    measure("search, all of these mixed", mixed)
    for sort in Sort:
        measure(f"by {sort}, no words", [get("/products", sort=sort)] * ROUNDS)
    measure(
        "a department by price", [get("/products", department="Grocery", sort="price_asc")] * ROUNDS
    )
    measure("facets of everything", [get("/products", facets="true")] * ROUNDS)
    measure("categories", [get("/categories")] * ROUNDS)
    measure("departments", [get("/departments")] * ROUNDS)
    for query in QUERIES["misspelt"]:
        found = get("/products", q=query)()
        names = [item["name"] for item in found["items"][:3]]
        sys.stdout.write(f"{query} -> {found['corrected_q']}: {names}\n")


def read(app: Flask, without_redis: Flask, skus: Sequence[str]) -> None:
    for name, target in (("copies", app), ("no Redis", without_redis)):
        one = [lambda sku=sku, t=target: t.test_client().get(f"/products/{sku}") for sku in skus]
        measure(f"a product, {name}", [*one[:200], *one[:200]][-200:])
        for size in (10, 100, 200):
            body = {"skus": list(skus[:size])}
            act = lambda b=body, t=target: t.test_client().post("/quotes", json=b)  # noqa: E731
            measure(f"quote of {size}, {name}", [act] * (4 * ROUNDS))


def explain(db: Database, text: str) -> None:
    seen = Search(text, Filters(), Sort.RELEVANCE, None, 21)
    statements: list[Any] = []
    with db.transaction() as tx:
        sa.event.listen(
            tx, "before_execute", lambda _c, statement, *_: statements.append(statement)
        )
        store.find(tx, seen)
        compiled = statements[0].compile(
            dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]
            compile_kwargs={"literal_binds": True},
        )
        plan = tx.exec_driver_sql(f"EXPLAIN (ANALYZE, COSTS OFF) {compiled}".replace("%", "%%"))
        sys.stdout.write("\n".join(plan.scalars()) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    file: Path = parser.parse_args().file
    with shop() as (app, db, cache):
        logging.disable(logging.WARNING)
        import_file(app, db, cache, file, "first import")
        import_file(app, db, cache, file, "the same again")
        with db.engine.begin() as connection:
            skus = list(connection.scalars(sa.text("SELECT sku FROM products LIMIT 2000")))
        chance = random.Random(SEED)  # noqa: S311  Picks queries.
        chance.shuffle(skus)
        search(app, chance)
        nowhere = create_app(
            Settings(
                database_url=SecretStr(str(db.engine.url)),
                jwt_secret=SecretStr(JWT_SECRET),
                redis_url="unix:///nowhere/socket",
            )
        )
        read(app, nowhere, skus)
        for text in ("milk", "grocery"):
            sys.stdout.write(f"\n{text}\n")
            explain(db, text)


if __name__ == "__main__":
    surroundings.clean()
    main()
