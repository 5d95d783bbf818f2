"""One run: seed the shelves, replay the baskets, wait until all settled, audit the books."""

import contextlib
import os
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import psutil
from harness import stack
from harness.audit.books import Checkout, patiently
from harness.audit.checkers import audit, stock_adds_up
from harness.audit.reader import Keep, Planted, keep_nothing, read_books
from harness.audit.settlement import Unrest, queue_depths, wait_until_settled
from harness.audit.tables import read_stock
from harness.identity.tokens import staff_token
from harness.process import control
from harness.process.control import Usage
from harness.process.endpoints import Endpoints
from harness.shopper.client import Shopper, Urls, new_http_client
from harness.shopper.history import History
from harness.shopper.staff import Staff
from harness.topology.model import Topology
from harness.traces import trace_archive

from simulators.checkout import results
from simulators.checkout.mix import Visit, stock_levels, visits
from simulators.checkout.replay import Progress, replay
from simulators.checkout.results import Observed, Plan, Resource, Result, summarize
from simulators.checkout.seed import seed
from simulators.checkout.shopper import people, visit_shop
from simulators.checkout.weather.kinds import TRACE_STORE
from simulators.checkout.weather.nemesis import at_work, remembered_loss
from simulators.checkout.weather.plan import NO_WEATHER, Weather
from simulators.checkout.weather.toll import reckon
from simulators.journey.domain import Journey

# After the last shopper: an order whose news was lost is reminded after 30 s at the most (five
# minutes, ten times as fast), and each of its steps may still be a message that a killed worker
# had received. On a machine ten times too small that took 67 s.
SETTLE_WITHIN_S = 180.0
HISTORY = "history.jsonl"  # In the folder of a run.


# A shop that was just used comes to rest within this, or it never will.
REST_WITHIN_S = 30.0
# Whose stock disagrees is told by this many names: a fault in one rule can concern all goods.
NAMED_MAX = 5


class ShopNotAtRest(Exception):
    """Something of before still moves, lies dead or is wrong: it could be blamed on this run."""


class Display(Protocol):
    """Where the run tells how far it is."""

    def phase(self, name: str) -> None: ...
    def replaying(self, progress: Progress) -> None: ...
    def settling(self, unrest: Unrest) -> None: ...
    def auditing(self, done: int, total: int) -> None: ...


class Clock:
    """Seconds spent in each phase."""

    def __init__(self, display: Display) -> None:
        self.phases_s: dict[str, float] = {}
        self._display = display
        self._name = ""
        self._began = time.monotonic()

    def enter(self, name: str) -> None:
        self.leave()
        self._name, self._began = name, time.monotonic()
        self._display.phase(name)

    def leave(self) -> None:
        if self._name:
            self.phases_s[self._name] = time.monotonic() - self._began
            self._name = ""


def run(
    plan: Plan,
    journey: Journey,
    endpoints: Endpoints,
    topology: Topology,
    *,
    stop: threading.Event,
    display: Display,
    directory: Path | None = None,
    weather: Weather = NO_WEATHER,
) -> Result:
    """Run *plan* against a running shop. *stop* ends the replay early; the audit still happens.

    weather: what is to go wrong meanwhile; anything but none needs a shop started with `faults`.
    directory: where the shoppers' history and every checkout's trace are kept; nowhere if None.
    Raises ShopNotAtRest, before anything is changed, seed.SeedingFailed, and BooksUnread.
    """
    expect_rest(endpoints)
    clock, started_at, history = Clock(display), datetime.now(UTC), History()
    planned = visits(journey.baskets[: plan.baskets], plan.seed, odd_cards=not weather.is_calm)
    clock.enter("seed")
    stock_the_shop(journey, planned, endpoints, plan.seed)

    clock.enter("replay")
    before, own_before = _usage(endpoints), _own_usage()
    progress = Progress(len(planned))
    replay_s = planned[-1].at_s / plan.speed
    with contextlib.ExitStack() as held:
        nemesis = held.enter_context(at_work(endpoints, weather, replay_s))
        progress.faults = nemesis.met
        _replay(plan, planned, endpoints, history, stop, progress, display)
        if directory:  # At once: what shoppers saw is known, whatever becomes of the audit.
            history.save(directory / HISTORY)
        clock.enter("settle")
        calmed_s = nemesis.calm()
        left = wait_until_settled(endpoints, SETTLE_WITHIN_S, display.settling)
        if nemesis.clear_up():
            left = wait_until_settled(endpoints, SETTLE_WITHIN_S, display.settling)
    after, own_after = _usage(endpoints), _own_usage()

    clock.enter("audit")
    checkouts, done = list(progress.finished), 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        display.auditing(done, len(checkouts))

    with contextlib.ExitStack() as held:
        keep: Keep = keep_nothing
        if directory:
            keep = _keeper(
                held.enter_context(trace_archive.TraceWriter(directory / trace_archive.FOLDER))
            )
        books = read_books(
            endpoints,
            topology,
            checkouts,
            history.operations(),
            since=started_at.timestamp(),
            advance=advance,
            keep=keep,
            planted=Planted(remembered_loss(endpoints), weather.has_broken(TRACE_STORE)),
        )
    findings = audit(books)
    began = min((c.started_at for c in checkouts), default=started_at.timestamp())
    clock.leave()
    return summarize(
        Observed(
            plan=plan,
            planned=planned,
            checkouts=checkouts,
            books=books,
            findings=findings,
            unrest=left,
            resources=_resources(before, after, own_before, own_after),
            lateness_s=progress.lateness_s,
            visits_s=progress.visits_s,
            phases_s=clock.phases_s,
            started_at=started_at,
            interrupted=stop.is_set(),
            traces_url=endpoints.trace_query_url,
            toll=reckon(weather, nemesis.injected, books, began, calmed_s),
        )
    )


def expect_rest(endpoints: Endpoints) -> None:
    """Raises ShopNotAtRest, and BooksUnread. Changes nothing.

    Of all books only the stock's are judged: what is wrong there is of no order, so that nobody
    could tell afterwards whether it was so before.
    """
    left = wait_until_settled(endpoints, REST_WITHIN_S)
    dead = {name: depth.dead for name, depth in queue_depths(endpoints).items() if depth.dead}
    letters = [f"{count} dead letters of {name}" for name, count in dead.items()]
    if left or letters:
        raise ShopNotAtRest(", ".join([*([str(left)] if left else []), *letters]))
    books = patiently("PostgreSQL", lambda: read_stock(endpoints.auditor_dsn))
    if wrong := sorted({violation.about for violation in stock_adds_up.check(books)}):
        named = ", ".join([*wrong[:NAMED_MAX], *(["…"] if len(wrong) > NAMED_MAX else [])])
        raise ShopNotAtRest(f"the stock of {len(wrong)} goods does not add up already: {named}")


def _keeper(archive: trace_archive.TraceWriter) -> Keep:
    def keep(checkout: Checkout, traces: Mapping[str, Any]) -> None:
        archive.add(
            traces,
            trace_id=checkout.trace_id,
            order_id=checkout.order_id,
            outcome=results.outcome_of(checkout),
        )

    return keep


def stock_the_shop(
    journey: Journey, planned: Sequence[Visit], endpoints: Endpoints, seed_number: int
) -> tuple[int, int]:
    """Put what the *planned* shoppers want on sale, and enough of it on the shelf.

    Returns of how many products some arrived, and how many were there already.
    Raises SeedingFailed.
    """
    levels = stock_levels(planned, seed_number)
    arrived = seed(
        endpoints.services["catalog"],
        endpoints.services["inventory"],
        staff_token(endpoints.jwt_secret),
        [journey.products[sku] for sku in levels],
        levels,
    )
    return arrived, len(levels) - arrived


def _replay(
    plan: Plan,
    planned: Sequence[Visit],
    endpoints: Endpoints,
    history: History,
    stop: threading.Event,
    progress: Progress,
    display: Display,
) -> None:
    met = {name: endpoints.services[name] for name in ("auth", "cart", "catalog", "order")}
    urls = Urls(**met, links=endpoints.links)
    persons = people({visit.basket.household_id for visit in planned}, plan.seed)
    over = threading.Event()

    def show() -> None:
        while not over.wait(0.2):
            display.replaying(progress)

    with new_http_client(plan.concurrency * 2) as http:
        staff = Staff(endpoints.services, http, lambda: staff_token(endpoints.jwt_secret))

        def bring(visit: Visit) -> Sequence[Checkout]:
            shopper = Shopper(f"household {visit.basket.household_id}", urls, http, history)
            return visit_shop(shopper, persons[visit.basket.household_id], visit, staff)

        watcher = threading.Thread(target=show, name="display", daemon=True)
        watcher.start()
        try:
            replay(
                planned,
                bring,
                speed=plan.speed,
                concurrency=plan.concurrency,
                stop=stop,
                progress=progress,
            )
        finally:
            over.set()
            watcher.join()
            display.replaying(progress)
    if progress.failures:
        raise progress.failures[0]


def _usage(endpoints: Endpoints) -> dict[str, Usage]:
    """By the pids of this moment: a restarted process has another one."""
    now = stack.endpoints(Path(endpoints.home)) or endpoints
    found = {}
    for name, pid in now.pids.items():
        with contextlib.suppress(psutil.NoSuchProcess):  # It was killed just now.
            found[name] = control.usage(pid, now.pids.values())
    return found


def _own_usage() -> Usage:
    """This process without its children: a shop that was started for the run is one of them."""
    children = [child.pid for child in psutil.Process().children()]
    return control.usage(os.getpid(), children)


def _resources(
    before: Mapping[str, Usage], after: Mapping[str, Usage], own_before: Usage, own_after: Usage
) -> list[Resource]:
    """Per process; one that restarted counts from its restart."""
    nothing = Usage(0.0, 0.0)
    costs = [
        Resource(name, max(0.0, now.cpu_s - before.get(name, nothing).cpu_s), now.pss_mb)
        for name, now in after.items()
    ]
    own_cpu_s = own_after.cpu_s - own_before.cpu_s
    return [*costs, Resource(results.SHOPPERS, own_cpu_s, own_after.pss_mb)]
