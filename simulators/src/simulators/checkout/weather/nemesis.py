"""Does to a shop what its weather plans, while shoppers are in it, and notes what came of it.

Jepsen's word: who makes the faults, apart from who uses the system.
"""

import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx
import psutil
import psycopg2
import redis
from botocore.exceptions import BotoCoreError, ClientError
from harness.eventually import eventually
from harness.faults import letters
from harness.faults.planter import Faults, lost_in
from harness.process.control import ControlRefused, ProcessGone
from harness.process.endpoints import Endpoints
from harness.process.home import whole_lines

from simulators.checkout.weather.kinds import Ending, MetNothing
from simulators.checkout.weather.plan import Planned, Weather
from simulators.checkout.weather.registry import KINDS

# What may be done to a shop that is being hurt by others at the same time, and fails then: noted.
FAILED = (
    *(MetNothing, ProcessGone, ControlRefused, psutil.Error),
    *(httpx.HTTPError, psycopg2.Error, redis.RedisError, BotoCoreError, ClientError),
    AssertionError,
)
HANDS = 8  # A restart takes seconds, and the next fault does not wait for it.
POLL_S = 1.0
LOSS = "planted-loss.txt"  # In the home of a shop.
CALM_WITHIN_S = 90.0


@dataclass
class Injected:
    """One fault of the plan. planted_at, met_at: seconds since the epoch; None if it never was.

    orders, traces: whom it met, as far as messages and requests tell. times: how often.
    why_not: what hindered it.
    """

    planned: Planned
    label: str
    planted_at: float | None = None
    ended_at: float | None = None
    met_at: float | None = None
    times: int = 0
    orders: set[str] = field(default_factory=set)
    traces: set[str] = field(default_factory=set)
    why_not: str = ""

    @property
    def has_met(self) -> bool:
        return self.met_at is not None


class Nemesis:
    """Of one run. Use `storm` while shoppers come, `calm` after them, `clear_up` at rest."""

    def __init__(self, faults: Faults, weather: Weather, replay_s: float) -> None:
        nonce = secrets.token_hex(3)  # What an earlier run left waiting is not taken for ours.
        self.injected = [
            Injected(planned, f"fault-{number}-{nonce}")
            for number, planned in enumerate(weather.faults, start=1)
        ]
        self._faults, self._replay_s = faults, replay_s
        self._by_label = {one.label: one for one in self.injected}
        self._over = threading.Event()
        self._hands = ThreadPoolExecutor(HANDS, thread_name_prefix="nemesis")
        self._doing: list[Future[None]] = []
        self._thread = threading.Thread(target=self._run, name="nemesis", daemon=True)
        self._read_to = 0
        self._lost: set[str] = set()

    def storm(self) -> None:
        """Begin: from now on the plan's time runs."""
        self._thread.start()

    def met(self) -> int:
        return sum(one.has_met for one in self.injected)

    def calm(self) -> float:
        """End every fault, and wait until none is left: the shop is sound, if not yet at rest.

        Returns how many seconds that took.
        """
        began = time.monotonic()
        self.end()
        self._faults.calm()
        eventually(self._is_over, CALM_WITHIN_S, "nothing is held back, and the journal is read")
        remember_loss(self._faults.home, self._lost)
        return time.monotonic() - began

    def wait(self) -> None:
        """Until all is planted."""
        self._thread.join()

    def end(self) -> None:
        """Plant nothing more, and end what lasts."""
        self._over.set()
        self._thread.join()
        self._hands.shutdown()
        for one in self._doing:
            one.result()

    def clear_up(self) -> int:
        """Set right and send back what was spoilt on purpose and kept aside for it, as whoever
        runs a shop would; returns how many messages that were."""
        return letters.clear_up(self._faults.endpoints, self._lost)

    def _run(self) -> None:
        began = time.monotonic()
        for one in self.injected:
            due = began + one.planned.at * self._replay_s
            while (wait_s := due - time.monotonic()) > 0:
                if self._over.wait(min(wait_s, POLL_S)):
                    return
                self._has_read_journal()
            self._doing.append(self._hands.submit(self._plant, one))

    def _plant(self, one: Injected) -> None:
        kind = KINDS[one.planned.kind]
        one.planted_at = time.time()
        try:
            ending = kind.plant(self._faults, one.planned.target, one.label)
            if not kind.is_in_journal:
                one.met_at, one.times = one.planted_at, 1
            self._end(one, ending)
        except FAILED as error:
            if not kind.is_in_journal:  # Its ending would have told whether it met anything.
                one.met_at, one.times = None, 0
            one.why_not = f"{type(error).__name__}: {error}"

    def _end(self, one: Injected, ending: Ending) -> None:
        if ending is None:
            return
        self._over.wait(one.planned.for_s)
        try:
            ending()
        finally:
            one.ended_at = time.time()

    def _is_over(self) -> bool:
        try:
            return not self._faults.held() and self._has_read_journal()
        except httpx.HTTPError:
            return False

    def _has_read_journal(self) -> bool:
        """One late answer of a busy machine ends no storm: whoever polls asks again."""
        try:
            self._read_journal()
        except httpx.HTTPError:
            return False
        return True

    def _read_journal(self) -> None:
        """Often enough that nothing falls out of it."""
        entries = self._faults.journal(self._read_to)
        self._lost |= lost_in(entries)
        for entry in entries:
            self._read_to = entry["number"]
            one = self._by_label.get(entry["label"])
            if one is None:
                continue
            one.times += 1
            one.met_at = one.met_at or datetime.fromisoformat(entry["at"]).timestamp()
            one.orders |= {message["subject"] for message in entry["messages"]}
            one.traces.add(entry["trace_id"])


class NoNemesis(Nemesis):
    """Of a calm run: touches nothing."""

    def __init__(self) -> None:
        self.injected = []

    def storm(self) -> None:
        pass

    def calm(self) -> float:
        return 0.0

    def clear_up(self) -> int:
        return 0


def remember_loss(home: Path, event_ids: Iterable[str]) -> None:
    """Write down, for every audit of this shop from now on, what will never arrive."""
    with (home / LOSS).open("a", encoding="ascii") as file:
        file.writelines(f"{event_id}\n" for event_id in event_ids)


def remembered_loss(endpoints: Endpoints) -> set[str]:
    """The ids of all events that storms lost in this shop, on purpose, this one or before."""
    return set(whole_lines(Path(endpoints.home) / LOSS)) if endpoints.home else set()


@contextmanager
def at_work(endpoints: Endpoints, weather: Weather, replay_s: float) -> Iterator[Nemesis]:
    """Storms from here on. Whatever happens in the block, no fault is left behind."""
    if weather.is_calm:
        yield NoNemesis()
        return
    with Faults(endpoints) as faults:
        nemesis = Nemesis(faults, weather, replay_s)
        nemesis.storm()
        try:
            yield nemesis
        finally:
            nemesis.end()
