"""The replay admits, stops and never loses a visit. Speeds are so high that nobody waits."""

import operator
import threading
from datetime import UTC, datetime, timedelta

from harness.audit.books import Checkout
from simulators.checkout.mix import Visit, visits
from simulators.checkout.replay import Progress, replay
from simulators.journey.domain import Basket, JourneyLine

START = datetime(2017, 5, 1, 8, tzinfo=UTC)
BASKETS = [
    Basket(f"b-{n}", "h", START + timedelta(seconds=n), (JourneyLine("MUG-1", 1),))
    for n in range(20)
]
VISITS = visits(BASKETS, seed=1)


def bring(visit: Visit) -> list[Checkout]:
    return [Checkout(visit.basket.id, "h", "k", {}, "t", 0.0, "confirmed")]


def run(bring_one, stop: threading.Event | None = None, concurrency: int = 4) -> Progress:  # type: ignore[no-untyped-def]
    progress = Progress(len(VISITS))
    replay(
        VISITS,
        bring_one,
        speed=1e6,
        concurrency=concurrency,
        stop=stop or threading.Event(),
        progress=progress,
    )
    return progress


def test_every_visit_is_brought_once() -> None:
    progress = run(bring)

    assert sorted(c.basket_id for c in progress.finished) == sorted(v.basket.id for v in VISITS)
    assert progress.in_flight == 0
    assert len(progress.lateness_s) == len(VISITS)
    assert len(progress.visits_s) == len(VISITS)


def test_a_visit_counts_from_when_it_was_due() -> None:
    """One at a time: who waited at the door while another was inside has a longer visit."""
    progress = run(bring, concurrency=1)

    assert all(map(operator.ge, progress.visits_s, progress.lateness_s))


def test_who_orders_twice_has_left_once() -> None:
    progress = run(lambda visit: bring(visit) * 2)

    assert len(progress.finished) == 2 * len(VISITS)
    assert (progress.left, progress.in_flight) == (len(VISITS), 0)


def test_no_more_shoppers_are_inside_than_allowed() -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def crowded(visit: Visit) -> list[Checkout]:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        checkouts = bring(visit)
        with lock:
            inside -= 1
        return checkouts

    run(crowded, concurrency=3)

    assert 1 <= most <= 3


def test_stopping_lets_those_inside_finish_and_nobody_else_in() -> None:
    stop = threading.Event()

    def stop_at_the_third(visit: Visit) -> list[Checkout]:
        if visit.basket.id == "b-2":
            stop.set()
        return bring(visit)

    progress = run(stop_at_the_third, stop, concurrency=1)

    assert [c.basket_id for c in progress.finished] == ["b-0", "b-1", "b-2"]
    assert progress.in_flight == 0


def test_a_bug_of_the_simulator_is_kept_not_swallowed() -> None:
    def buggy(visit: Visit) -> list[Checkout]:
        raise KeyError(visit.basket.id)

    progress = run(buggy)

    assert len(progress.failures) == len(VISITS)
    assert progress.finished == []
