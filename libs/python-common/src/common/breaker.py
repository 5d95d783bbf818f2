"""A circuit breaker: whoever fails again and again is left alone for a moment, then tried once.

After M. Nygard, "Release It!". Ours and not pybreaker: that holds its lock during the call, so that
calls wait for one another, and it knows no clock but the real one.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import structlog
from opentelemetry.metrics import CallbackOptions, Observation

from common.metrics import meter

log = structlog.get_logger()


class BreakerState(StrEnum):
    CLOSED = "closed"  # calls are made
    OPEN = "open"  # none is
    HALF_OPEN = "half_open"  # one is, and decides


class BreakerOpen(Exception):
    """The call was not made."""


@dataclass(slots=True)
class Call:
    """One that is being made; whoever makes it says whether its answer was none."""

    failed: bool = False


class Breaker:
    """Opens after *failures_max* failures in a row; tries once every *open_s* from then on.

    Calls run beside one another: the lock is held for the bookkeeping only. What was under way
    when the breaker opened or closed says nothing about afterwards, and is not counted.
    """

    def __init__(
        self,
        name: str,
        *,
        failures_max: int,
        open_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._failures_max = failures_max
        self._open_s = open_s
        self._clock = clock
        self._lock = threading.Lock()
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._opened_at = 0.0
        self._changes = 0

    @property
    def state(self) -> BreakerState:
        return self._state

    def admits(self, wanted: int) -> int:
        """How many of *wanted* calls would be made if they began now: all, one, or none."""
        with self._lock:
            match self._state:
                case BreakerState.CLOSED:
                    return wanted
                case BreakerState.OPEN if self._is_time_to_try():
                    return min(wanted, 1)
                case _:
                    return 0

    @contextmanager
    def call(self) -> Iterator[Call]:
        """Around one call; an exception or `failed` counts as a failure. Raises BreakerOpen."""
        began_in = self._begin()
        call = Call()
        try:
            yield call
        except BaseException:
            call.failed = True
            raise
        finally:
            self._end(began_in, failed=call.failed)

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """1 for the state it is in, for a gauge."""
        for state in BreakerState:
            about = {"app.dependency": self._name, "app.breaker.state": state.value}
            yield Observation(int(state is self._state), about)

    def _begin(self) -> int:
        with self._lock:
            if self._state is BreakerState.OPEN and self._is_time_to_try():
                self._change(BreakerState.HALF_OPEN)
            elif self._state is not BreakerState.CLOSED:
                raise BreakerOpen(f"{self._name} is left alone")
            return self._changes

    def _end(self, began_in: int, *, failed: bool) -> None:
        with self._lock:
            if began_in != self._changes:
                return
            self._failures = self._failures + 1 if failed else 0
            if failed and (
                self._state is BreakerState.HALF_OPEN or self._failures >= self._failures_max
            ):
                self._opened_at = self._clock()
                self._change(BreakerState.OPEN)
            elif not failed and self._state is BreakerState.HALF_OPEN:
                self._change(BreakerState.CLOSED)

    def _is_time_to_try(self) -> bool:
        return self._clock() - self._opened_at >= self._open_s

    def _change(self, to: BreakerState) -> None:
        was, self._state = self._state, to
        self._changes += 1
        log.warning(
            "breaker_changed", dependency=self._name, was=was, state=to, failures=self._failures
        )


def observe(breaker: Breaker) -> None:
    """`app.breaker.state` of *breaker*, whenever metrics are exported."""
    meter.create_observable_gauge("app.breaker.state", [breaker.observe])
