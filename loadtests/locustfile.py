"""Shoppers under load: each brings a real basket, orders it as a guest, and waits for the end.

Run by `make load`, against the shop that runs in CARTWRIGHT_HOME or that CARTWRIGHT_ENDPOINTS
names (docs/providers.md). Judged by `slo.py`, and by
`books.py` once the last one has left.
"""

import itertools
import logging
import os
import sys
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import books
import slo
from harness import stack
from harness.audit.books import BooksUnread, Checkout
from harness.audit.settlement import wait_until_settled
from harness.identity.tokens import staff_token
from harness.process import surroundings
from harness.process.endpoints import Endpoints
from harness.process.home import Home, RunUnderWay
from harness.providers.external import NoEndpoints
from locust import HttpUser, between, events, log, task
from locust.env import Environment
from locust.exception import RescheduleTask
from locust.runners import WorkerRunner
from simulators.checkout.run import SETTLE_WITHIN_S, ShopNotAtRest, expect_rest
from simulators.checkout.seed import SeedingFailed, seed
from simulators.journey.load import load_sample

# So many of each that no run sells the last: then a refusal is a fault, and not the shop's life.
STOCK_LEVEL = 100_000
# When a shopper looks whether the order went through: as those of the simulator do.
LOOK_AFTER_S = (0.15, 0.25, 0.4, 0.6, 1.0, 2.0)
# A shopper goes home after this long; the order then counts as failed.
PATIENCE_S = 20.0
REQUEST_TIMEOUT_S = 10.0

surroundings.clean()
# Seeding sends fifty requests, and each would be a line.
logging.getLogger("httpx").setLevel(logging.WARNING)

JOURNEY = load_sample()
BASKETS = itertools.cycle(JOURNEY.baskets)


class NotConfirmed(Exception):
    """It ended otherwise, or nobody could say how."""


def shop_to_load() -> Endpoints:
    try:
        return stack.external_shop()
    except NoEndpoints as error:
        print(f"not judged, nothing was changed: {error}")  # noqa: T201
        sys.exit(slo.EXIT_NOT_JUDGED)


SHOP = shop_to_load()
SLO = slo.load(Path(os.environ.get("CARTWRIGHT_SLO", slo.SLO_FILE)))
# What became of each basket. Locust's own processes on other cores know theirs only.
CHECKOUTS: list[Checkout] = []
STARTED_AT = time.time()
ALONE = ExitStack()  # Held until the process ends.
VERDICT: list[str] = []


@events.init.add_listener
def open_the_shop(environment: Environment, **_: Any) -> None:
    """At `test_start` the time that shoppers have would be running already.

    What refuses ends the process: an exception Locust would log, and not tell as a verdict.
    """
    if isinstance(environment.runner, WorkerRunner):
        return  # The master does.
    try:
        ALONE.enter_context(Home.default(stack.repository()).sole_run())
        expect_rest(SHOP)
        stock_the_shelves()
    except (RunUnderWay, ShopNotAtRest, BooksUnread, SeedingFailed) as error:
        environment.runner.quit()  # Else workers wait for it, a minute.
        print(f"not judged: {error}")  # noqa: T201
        sys.exit(slo.EXIT_NOT_JUDGED)


def stock_the_shelves() -> None:
    """What follows from it is over, too, before somebody is measured. Raises as above."""
    seed(
        SHOP.services["catalog"],
        SHOP.services["inventory"],
        staff_token(SHOP.jwt_secret, name="load-test"),
        list(JOURNEY.products.values()),
        dict.fromkeys(JOURNEY.products, STOCK_LEVEL),
    )
    if left := wait_until_settled(SHOP, SETTLE_WITHIN_S):
        raise ShopNotAtRest(f"the goods have come, but not settled: {left}")


@events.quitting.add_listener
def judge(environment: Environment, **_: Any) -> None:
    if isinstance(environment.runner, WorkerRunner):
        return
    broken = slo.gate(environment, SLO) + books.violations(SHOP, CHECKOUTS, STARTED_AT)
    if log.unhandled_greenlet_exception:
        broken.append("Locust itself met an exception: its log says which")
    VERDICT.extend(slo.verdict(environment, broken, books.holds(CHECKOUTS)))


@events.quit.add_listener
def tell(**_: Any) -> None:
    """Below the figures: the last thing that is read."""
    for sentence in VERDICT:
        print(sentence)  # noqa: T201  The verdict is the output.


class GuestShopper(HttpUser):
    """Enters, fills the cart, orders, watches. Then the next basket, as somebody else."""

    host = SHOP.services["order"]
    wait_time = between(0.5, 1.5)

    @task
    def check_out(self) -> None:
        basket = next(BASKETS)
        lines = [{"sku": line.sku, "quantity": line.quantity} for line in basket.lines]
        entered = self.ask("POST", "auth", "/guest-tokens", 201, json={})
        headers = {"Authorization": f"Bearer {entered['access_token']}"}
        self.ask("PUT", "cart", "/cart", 200, json={"lines": lines}, headers=headers)
        placed_at, began_at, key = time.perf_counter(), time.time(), str(uuid.uuid4())
        order = self.ask(
            *("POST", "order", "/orders", 202),
            headers=headers | {"Idempotency-Key": key},
            json={"email": "load@shoppers.example", "payment_method": "pm_ok", "lines": lines},
        )
        status = self.watch(order["id"], headers)
        self.report_flow("placed to final", placed_at, status)
        CHECKOUTS.append(
            Checkout(
                basket_id=basket.id,
                shopper="load",
                key=key,
                lines={line.sku: line.quantity for line in basket.lines},
                trace_id="",
                started_at=began_at,
                outcome=status if status != "pending" else "unknown",
                order_id=order["id"],
            )
        )

    def watch(self, order_id: str, headers: dict[str, str]) -> str:
        """How it ended, or `pending` when the shopper has gone home."""
        give_up_at = time.monotonic() + PATIENCE_S
        pauses = itertools.chain(LOOK_AFTER_S, itertools.repeat(LOOK_AFTER_S[-1]))
        status = "pending"
        while status == "pending" and time.monotonic() < give_up_at:
            time.sleep(next(pauses))
            path, name = f"/orders/{order_id}", "/orders/{id}"
            status = self.ask("GET", "order", path, 200, name=name, headers=headers)["status"]
        return status

    def ask(
        self, method: str, service: str, path: str, expected: int, name: str = "", **request: Any
    ) -> dict[str, Any]:
        """The answer's JSON. Any other status fails, and ends the visit: the next one begins."""
        with self.client.request(
            method,
            SHOP.services[service] + path,
            name=name or path,
            timeout=REQUEST_TIMEOUT_S,
            catch_response=True,
            **request,
        ) as response:
            if response.status_code != expected:
                response.failure(f"{response.status_code} {response.text[:200]}")
                raise RescheduleTask
            answer: dict[str, Any] = response.json()
            return answer

    def report_flow(self, name: str, began: float, status: str) -> None:
        self.environment.events.request.fire(
            request_type="FLOW",
            name=name,
            response_time=(time.perf_counter() - began) * 1000,
            response_length=0,
            exception=None if status == "confirmed" else NotConfirmed(status),
            context={},
        )
