"""Sends the visits at the real shoppers' rhythm, sped up; an open loop with a bounded door.

Arrivals do not wait for earlier shoppers to finish: latency counts from the intended start,
so that a stall of the shop is not hidden (coordinated omission).
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from harness.audit.books import Checkout

from simulators.checkout.mix import Visit

Bring = Callable[[Visit], Sequence[Checkout]]  # One at least.


@dataclass(slots=True)
class Progress:
    """What the replay has done so far; read by the display, written by shopper threads."""

    total: int
    started: int = 0
    left: int = 0  # Visits that are over; each has finished one checkout or more.
    finished: list[Checkout] = field(default_factory=list)
    lateness_s: list[float] = field(default_factory=list)  # started after the intended moment
    visits_s: list[float] = field(default_factory=list)  # from then to the end of the visit
    failures: list[BaseException] = field(default_factory=list)  # bugs of the simulator
    faults: Callable[[], int] = lambda: 0  # how many have met something
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def in_flight(self) -> int:
        return self.started - self.left - len(self.failures)


def replay(
    visits: Sequence[Visit],
    bring: Bring,
    *,
    speed: float,
    concurrency: int,
    stop: threading.Event,
    progress: Progress,
) -> float:
    """Bring every visit at ``at_s / speed`` after now; return the seconds it took.

    concurrency: shoppers at once; one that finds the shop full waits at the door, and the
        wait counts as lateness. stop: set it to admit nobody else; those inside finish.
    """
    began = time.monotonic()
    with ThreadPoolExecutor(concurrency, thread_name_prefix="shopper") as pool:
        for visit in visits:
            due = began + visit.at_s / speed
            if stop.wait(max(0.0, due - time.monotonic())):
                break
            pool.submit(_enter, visit, due, bring, stop, progress).add_done_callback(
                lambda future: _note_bug(future, progress)
            )
    return time.monotonic() - began


def _enter(
    visit: Visit, due: float, bring: Bring, stop: threading.Event, progress: Progress
) -> None:
    if stop.is_set():
        return
    with progress.lock:
        progress.started += 1
        progress.lateness_s.append(max(0.0, time.monotonic() - due))
    checkouts = bring(visit)
    with progress.lock:
        progress.finished += checkouts
        progress.left += 1
        progress.visits_s.append(time.monotonic() - due)


def _note_bug(future: "Future[None]", progress: Progress) -> None:
    error = future.exception()
    if error is not None:
        with progress.lock:
            progress.failures.append(error)
