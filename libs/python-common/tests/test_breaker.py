"""Whoever fails again and again is left alone for a moment, then tried once."""

import threading

import pytest
from common.breaker import Breaker, BreakerOpen, BreakerState
from opentelemetry.metrics import CallbackOptions
from structlog.testing import capture_logs


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("provider", failures_max=3, open_s=5, clock=clock)


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with breaker.call() as call:
            call.failed = True


def succeed(breaker: Breaker) -> None:
    with breaker.call():
        pass


def test_three_failures_in_a_row_open_it_and_no_call_is_made(breaker: Breaker) -> None:
    fail(breaker, 3)

    with pytest.raises(BreakerOpen, match="provider"), breaker.call():
        raise AssertionError("the call was made")

    assert breaker.state is BreakerState.OPEN
    assert breaker.admits(8) == 0


def test_one_success_between_them_keeps_it_closed(breaker: Breaker) -> None:
    fail(breaker, 2)
    succeed(breaker)
    fail(breaker, 2)

    assert breaker.state is BreakerState.CLOSED
    assert breaker.admits(8) == 8


def test_an_exception_is_a_failure_and_stays_what_it_is(breaker: Breaker) -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), breaker.call():
            raise ZeroDivisionError

    assert breaker.state is BreakerState.OPEN


def test_after_a_while_one_call_is_made_and_its_success_closes_it(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.now_s += 4.9
    early = breaker.admits(8)
    clock.now_s += 0.1

    in_time = breaker.admits(8)
    with breaker.call():
        meanwhile = breaker.admits(8)
        with pytest.raises(BreakerOpen), breaker.call():
            raise AssertionError("a second one was made")

    assert (early, in_time, meanwhile) == (0, 1, 0)
    assert breaker.state is BreakerState.CLOSED
    fail(breaker, 2)
    assert breaker.state is BreakerState.CLOSED  # What failed before is forgotten.


def test_and_its_failure_opens_it_for_as_long_again(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now_s += 5
    fail(breaker)

    clock.now_s += 4.9
    early = breaker.admits(8)
    clock.now_s += 0.1

    assert (early, breaker.admits(8)) == (0, 1)


def test_what_was_under_way_when_it_opened_says_nothing_about_afterwards(
    breaker: Breaker, clock: Clock
) -> None:
    with breaker.call():
        fail(breaker, 3)
    after_late_success = breaker.state
    clock.now_s += 5
    succeed(breaker)
    with breaker.call() as straggler:
        fail(breaker, 3)
        clock.now_s += 5
        straggler.failed = True

    assert after_late_success is BreakerState.OPEN
    assert breaker.admits(1) == 1  # The straggler did not begin the pause anew.


def test_nobody_wanting_a_call_is_admitted_none(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now_s += 5

    assert breaker.admits(0) == 0


def test_of_fifty_threads_one_makes_the_try(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now_s += 5
    barrier, made, release = threading.Barrier(50), [], threading.Event()
    refused = threading.Semaphore(0)

    def attempt(number: int) -> None:
        barrier.wait()
        try:
            with breaker.call():
                made.append(number)
                release.wait(20)
        except BreakerOpen:
            refused.release()

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for _ in range(49):
        assert refused.acquire(timeout=20)
    release.set()
    for thread in threads:
        thread.join()

    assert len(made) == 1
    assert breaker.state is BreakerState.CLOSED


def test_calls_run_beside_one_another(breaker: Breaker) -> None:
    together = threading.Barrier(4)

    def attempt() -> None:
        with breaker.call():
            together.wait(20)  # Broken, if one waits for another.

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not together.broken
    assert breaker.state is BreakerState.CLOSED


def test_each_change_is_logged_once_and_the_gauge_shows_the_state(
    breaker: Breaker, clock: Clock
) -> None:
    with capture_logs() as logs:
        fail(breaker, 3)
        shown = {
            str((observation.attributes or {})["app.breaker.state"]): observation.value
            for observation in breaker.observe(CallbackOptions())
        }
        clock.now_s += 5
        succeed(breaker)

    assert [(log["was"], log["state"]) for log in logs if log["event"] == "breaker_changed"] == [
        ("closed", "open"), ("open", "half_open"), ("half_open", "closed"),
    ]  # fmt: skip
    assert shown == {"closed": 0, "open": 1, "half_open": 0}
