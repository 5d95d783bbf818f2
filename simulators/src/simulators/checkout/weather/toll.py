"""What a weather did to a run, fault by fault and kind by kind. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from harness.audit.books import Books, Row

from simulators.checkout.weather.nemesis import Injected
from simulators.checkout.weather.plan import CALM, Weather
from simulators.checkout.weather.registry import KINDS

# Notes that come when a customer brings goods back, however much later that is.
OF_RETURNS = ("return", "refund")
# Where who does its part of a checkout can die, in the order of the steps, by the kind of fault.
DEATHS: Mapping[str, str] = {
    "kill-at-receive": "at receive",
    "kill-before-publish": "before publish",
    "kill-after-publish": "after publish",
    "kill-before-delete": "before delete",
    "kill-after-delete": "after delete",
}


@dataclass(frozen=True, slots=True)
class Struck:
    """One fault. Seconds since the first shopper came; None: never.

    met_s: when it first met something. ended_s: when one that lasts was ended. times: how often it
    did. orders: whom it met, by messages and traces, or who was under way. recovered_s: from there
    until the last of them was decided and settled. why_not: what hindered it.
    """

    kind: str
    target: str
    planted_s: float | None
    met_s: float | None
    ended_s: float | None
    times: int
    orders: Sequence[str]
    recovered_s: float | None
    why_not: str

    @property
    def has_met(self) -> bool:
        return self.met_s is not None


@dataclass(frozen=True, slots=True)
class KindToll:
    """All faults of one kind. recovered_s: the median and the worst of `Struck.recovered_s`."""

    kind: str
    seam: str
    says: str
    planned: int
    met: int
    times: int
    orders: int
    recovered_s: tuple[float, float] | tuple[None, None]


@dataclass(frozen=True, slots=True)
class Deaths:
    """Of a process at what it tells or hears. by_step: times and slowest recovery, by `DEATHS`."""

    who: str
    by_step: Mapping[str, tuple[int, float | None]]


@dataclass(frozen=True, slots=True)
class Toll:
    """calmed_s: how long after the last shopper the last fault was ended and all answered."""

    weather: str = CALM
    faults: Sequence[Struck] = ()
    calmed_s: float = 0.0

    @property
    def met(self) -> int:
        return sum(one.has_met for one in self.faults)

    @property
    def missed(self) -> Sequence[Struck]:
        """What found nothing that it could be done to."""
        return [one for one in self.faults if not one.has_met]

    @property
    def is_enough(self) -> bool:
        """Whether so much happened that a run which holds proves something."""
        return self.met * 2 >= len(self.faults)

    @property
    def slowest_recovery_s(self) -> float | None:
        return _slowest(self.faults)

    def __str__(self) -> str:
        """A sentence; nothing of calm."""
        if not self.faults:
            return ""
        seams = ", ".join(f"{seam} {count}" for seam, count in self.by_seam.items())
        slowest = self.slowest_recovery_s
        recovery = "" if slowest is None else f"; slowest recovery {slowest:.1f} s"
        return (
            f"Weather {self.weather}: {self.met} of {len(self.faults)} faults met something"
            f" ({seams}){recovery}; calm {self.calmed_s:.1f} s after the last shopper."
        )

    @property
    def kinds(self) -> Sequence[KindToll]:
        """In the registry's order."""
        return [_of_kind(name, those) for name in KINDS if (those := self._of(name))]

    @property
    def deaths(self) -> Sequence[Deaths]:
        """Who was killed at which step of a checkout; who never was is left out."""
        died = [one for one in self.faults if one.has_met and one.kind in DEATHS]
        return [
            Deaths(who, _by_step([one for one in died if one.target == who]))
            for who in sorted({one.target for one in died})
        ]

    @property
    def by_seam(self) -> Mapping[str, int]:
        """How many faults met something, by the seam they are of."""
        seams = [KINDS[one.kind].seam for one in self.faults if one.has_met]
        return {str(seam): seams.count(seam) for seam in dict.fromkeys(seams)}

    def _of(self, kind: str) -> list[Struck]:
        return [one for one in self.faults if one.kind == kind]


NO_TOLL = Toll()


def _of_kind(name: str, faults: Sequence[Struck]) -> KindToll:
    recovered = [one.recovered_s for one in faults if one.recovered_s is not None]
    return KindToll(
        name,
        str(KINDS[name].seam),
        KINDS[name].says,
        planned=len(faults),
        met=sum(one.has_met for one in faults),
        times=sum(one.times for one in faults),
        orders=len({order for one in faults for order in one.orders}),
        recovered_s=(median(recovered), max(recovered)) if recovered else (None, None),
    )


def _by_step(died: Sequence[Struck]) -> Mapping[str, tuple[int, float | None]]:
    by_step: dict[str, tuple[int, float | None]] = {}
    for kind, step in DEATHS.items():
        here = [one for one in died if one.kind == kind]
        if here:
            by_step[step] = (len(here), _slowest(here))
    return by_step


def _slowest(faults: Iterable[Struck]) -> float | None:
    return max((s for one in faults if (s := one.recovered_s) is not None), default=None)


def reckon(
    weather: Weather, injected: Iterable[Injected], books: Books, began: float, calmed_s: float
) -> Toll:
    """began: when the first shopper came, in seconds since the epoch."""
    lives = {key: _life(entries) for key, entries in books.order_history.items()}
    placed_in = {books.trace_id_of(key): key for key in books.orders}
    struck = [_struck(one, _met(one, placed_in), lives, began) for one in injected]
    return Toll(weather.name, struck, calmed_s)


def _met(one: Injected, placed_in: Mapping[str | None, str]) -> set[str]:
    """placed_in: the order by the trace that it was placed in."""
    return one.orders | {placed_in[trace] for trace in one.traces if trace in placed_in}


def _life(entries: Sequence[Row]) -> tuple[float, float]:
    """When an order was placed, and when the last thing happened to it, but for returns."""
    times = [e["at"] for e in entries if not any(word in e["event"] for word in OF_RETURNS)]
    return (min(times), max(times)) if times else (0.0, 0.0)


def _struck(
    one: Injected, met: Iterable[str], lives: Mapping[str, tuple[float, float]], began: float
) -> Struck:
    met_at = one.met_at
    orders: list[str] = []
    recovered_s = None
    if met_at is not None:
        known = sorted(order for order in met if order in lives)
        orders = known or [key for key, (placed, end) in lives.items() if placed <= met_at <= end]
        recovered_s = max((lives[key][1] - met_at for key in orders), default=None)
    return Struck(
        one.planned.kind,
        str(one.planned.target),
        _since(began, one.planted_at),
        _since(began, met_at),
        _since(began, one.ended_at),
        one.times,
        orders,
        None if recovered_s is None else max(0.0, recovered_s),
        one.why_not,
    )


def _since(began: float, at: float | None) -> float | None:
    return None if at is None else at - began
