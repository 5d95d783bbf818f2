"""Calls to a neighbour that are made again when they fail: few, soon, and a tenth of all at most.

Retries help against a restart and hurt in an outage: who is down is not helped by three times the
load. So each neighbour has a budget, as in gRPC's retry throttling (gRFC A6) and in Finagle.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from common import calls, deadline
from common.metrics import meter

ATTEMPTS_MAX: Final = 3
# Full jitter: up to 50 ms at first, doubled.
RETRY_S: Final = 0.05
RETRY_S_MAX: Final = 2.0
# One retry for ten calls, so that an outage costs a neighbour a tenth more and not the double.
RETRIES_PER_CALL: Final = 0.1
# As many may be retried at once after a quiet time: an instance that restarts drops this many.
RETRIES_SAVED_MAX: Final = 10.0
# What gateways say while an instance restarts, and we when a database does.
RETRIABLE_STATUSES: Final = frozenset({502, 503, 504})
# Whoever was slow once is not asked again: no ReadTimeout here.
RETRIABLE_ERRORS: Final = (httpx.ConnectTimeout, httpx.NetworkError, httpx.RemoteProtocolError)
# RFC 9110 §9.2.2: sent twice they do what they do once.
IDEMPOTENT_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
# No longer number of seconds is worth reading.
_DIGITS_MAX: Final = 6

_retries = meter.create_counter("app.client.retries", "{retry}", "Made, or not for want of budget.")


class NotNow(Exception):
    """The neighbour could not be reached, or asked for patience.

    after_s: how long it asked for; None if it did not say.
    """

    def __init__(self, words: str, after_s: float | None = None) -> None:
        super().__init__(words)
        self.after_s = after_s


class RetryBudget:
    """Lets a tenth of all calls be retried. Threads share one.

    saved_max: as many may be retried at once after a quiet time. per_s: how many a second are let
    through though nothing is called. clock: for tests, another.
    """

    def __init__(
        self,
        saved_max: float = RETRIES_SAVED_MAX,
        per_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._left, self._saved_max = saved_max, saved_max
        self._per_s, self._clock, self._at_s = per_s, clock, clock()
        self._lock = threading.Lock()

    def earn(self) -> None:
        """A call is made."""
        with self._lock:
            self._add(RETRIES_PER_CALL)

    def left(self) -> int:
        """How many retries may be made now."""
        with self._lock:
            return self._whole()

    def spend(self, count: int = 1) -> bool:
        """Whether *count* retries may be made, which are then counted."""
        with self._lock:
            affordable = self._whole() >= count
            self._left -= count if affordable else 0
            return affordable

    def _whole(self) -> int:
        now_s = self._clock()
        self._add(self._per_s * (now_s - self._at_s))
        self._at_s = now_s
        return int(self._left)

    def _add(self, retries: float) -> None:
        self._left = min(self._left + retries, self._saved_max)


class Retries:
    """Calls to one neighbour. name: what it is called in figures. sleep: for tests, another."""

    def __init__(self, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._about = {"app.dependency": name}
        self._budget = RetryBudget()
        self._sleep = sleep

    def send(
        self,
        http: httpx.Client,
        method: str,
        url: str,
        *,
        repeatable: bool = False,
        json: Any = None,
    ) -> httpx.Response:
        """The neighbour's answer; it carries our caller's deadline and is not waited for longer.

        repeatable: also send a POST again, because it only reads or carries an idempotency key.
        Raises NotNow when it was made as often as it may, and httpx.HTTPError for what is not
        made again.
        """
        self._budget.earn()
        may_repeat = repeatable or method in IDEMPOTENT_METHODS
        retrying = Retrying(
            sleep=self._sleep,
            retry=retry_if_exception_type(NotNow),
            wait=_wait,
            stop=lambda state: not may_repeat or self._is_over(state),
            reraise=True,
        )
        answer: httpx.Response = retrying(_try, http, method, url, json)
        return answer

    def _is_over(self, state: RetryCallState) -> bool:
        left_s = deadline.remaining_s() - deadline.WORTHWHILE_S
        if state.attempt_number >= ATTEMPTS_MAX or state.upcoming_sleep >= left_s:
            return True
        affordable = self._budget.spend()
        _retries.add(1, {**self._about, "app.outcome": "made" if affordable else "no_budget"})
        return not affordable


def _try(http: httpx.Client, method: str, url: str, json: Any) -> httpx.Response:
    try:
        response = calls.answer(
            http,
            method,
            url,
            within_s=deadline.for_a_call_s(),
            json=json,
            headers=deadline.header(),
            timeout=deadline.bound(http.timeout),
        )
    except RETRIABLE_ERRORS as error:
        raise NotNow(type(error).__name__) from error
    if response.status_code in RETRIABLE_STATUSES:
        raise NotNow(str(response.status_code), _asked_for(response))
    return response


def _asked_for(response: httpx.Response) -> float | None:
    """RFC 9110 §10.2.3: seconds. A date, which none of our neighbours sends, is too far away."""
    header = response.headers.get("Retry-After")
    if header is None:
        return None
    is_seconds = header.isascii() and header.isdigit() and len(header) <= _DIGITS_MAX
    return float(header) if is_seconds else float("inf")


_jitter = wait_random_exponential(RETRY_S, RETRY_S_MAX)


def _wait(state: RetryCallState) -> float:
    """Full jitter, but no sooner than the neighbour asked for."""
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.after_s if isinstance(error, NotNow) else None
    return max(_jitter(state), asked_s or 0.0)
