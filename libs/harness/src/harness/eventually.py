"""Waits for something to become true, instead of sleeping and hoping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_FIRST_S = 0.02
POLL_MAX_S = 0.25
POLL_GROWTH = 1.5


def eventually(look: Callable[[], T], within_s: float, what: str = "") -> T:
    """What *look* returns, as soon as it is true.

    Raises AssertionError after *within_s*, with *what* was waited for and what was seen last.
    """
    give_up_at = time.monotonic() + within_s
    pause_s = POLL_FIRST_S
    while not (seen := look()):
        if time.monotonic() >= give_up_at:
            waited_for = what or getattr(look, "__name__", "it")
            raise AssertionError(f"{waited_for}: not within {within_s:g} s; last seen {seen!r}")
        time.sleep(pause_s)
        pause_s = min(pause_s * POLL_GROWTH, POLL_MAX_S)
    return seen
