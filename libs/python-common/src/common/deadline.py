"""How long the caller still waits: set where a request enters, passed on, refused when it is over.

Whoever answers a caller that has gone does work for nobody, and most of it when all are slow.
"""

import threading
import time
from contextvars import ContextVar
from typing import Final

import httpx
from flask import Flask, g, has_request_context, request

from common.errors import Malformed, Unavailable

# In milliseconds, what is left of the patience of whoever asked first. The name is ours; there is
# no standard for HTTP as gRPC has with `grpc-timeout`.
HEADER: Final = "X-Request-Deadline"
# A shopper's patience with one click. Callers may ask for less, never for more.
EDGE_DEADLINE_S: Final = 3.0
# With less than this left nothing can be read from a database and sent back in time.
WORTHWHILE_S: Final = 0.05
_DIGITS_MAX: Final = 6

_arrived_at: ContextVar[float | None] = ContextVar("arrived_at", default=None)


class MalformedDeadline(Malformed):
    title = "The X-Request-Deadline header is malformed"


class TooLate(Unavailable):
    title = "The caller's deadline is over"


def count_from(arrived_at: float) -> None:
    """The server has had this thread's next request since then (`time.monotonic`), and the caller
    waits as long: for a thread, too."""
    _arrived_at.set(arrived_at)


def install(app: Flask) -> None:
    """Every request of *app* has a deadline from its arrival on."""

    @app.before_request
    def begin() -> None:
        now = time.monotonic()
        asked_s = _asked_for(request.headers.get(HEADER))
        g.deadline_at = (_arrived_at.get() or now) + asked_s
        if g.deadline_at - now < WORTHWHILE_S:
            raise TooLate("nothing was done")


def remaining_s() -> float:
    """What is left of this request's time, 0 at least; EDGE_DEADLINE_S outside of one."""
    if not has_request_context() or "deadline_at" not in g:
        return EDGE_DEADLINE_S
    return max(0.0, float(g.deadline_at) - time.monotonic())


def for_a_call_s() -> float:
    """As `remaining_s`, but never so little that an answer could not come."""
    return max(remaining_s(), WORTHWHILE_S)


def bound(usual: httpx.Timeout) -> httpx.Timeout:
    """*usual*, but no wait of a call takes longer than our own caller waits; see `common.calls`
    for all of them together."""
    left_s = for_a_call_s()
    parts = {part: min(usual_s or left_s, left_s) for part, usual_s in usual.as_dict().items()}
    return httpx.Timeout(**parts)


def is_short(usual: httpx.Timeout) -> bool:
    """Whether our own caller waits less long than a call may take."""
    return bound(usual) != usual


def take(lock: threading.Lock) -> bool:
    """Whether *lock* could be had, and there is time left to use it."""
    if not lock.acquire(timeout=remaining_s()):
        return False
    if remaining_s() < WORTHWHILE_S:
        lock.release()
        return False
    return True


def header() -> dict[str, str]:
    """What a call to a neighbour carries, made on behalf of this request."""
    return {HEADER: str(int(remaining_s() * 1000))}


def _asked_for(header_: str | None) -> float:
    if header_ is None:
        return EDGE_DEADLINE_S
    if not (header_.isascii() and header_.isdigit() and len(header_) <= _DIGITS_MAX):
        raise MalformedDeadline("whole milliseconds are needed")
    return min(int(header_) / 1000, EDGE_DEADLINE_S)
