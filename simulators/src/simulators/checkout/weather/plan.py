"""A weather: which faults, of what, when. Data: drawn from a seed or read from a file, and kept."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from simulators.checkout import documents
from simulators.checkout.weather.kinds import Kind, Target
from simulators.checkout.weather.registry import KINDS

CALM, STORMY = "calm", "stormy"
# A storm on two cores that lets checkouts through all the same: a fault a second.
FAULTS_PER_S = 1.0
FAULTS_MIN = 4
FAULTS_MAX = 5_000
# Shares of the replay: there are shoppers in the shop from the first fault to the last.
FIRST_AT, LAST_AT = 0.04, 0.92
# A process that dies five times in ten seconds is not started again.
APART_S = 5.0


class WeatherRefused(Exception):
    """The file is no weather; the message says where and why."""


class Planned(BaseModel):
    """One fault. at: share of the replay's time, from 0 to 1. for_s: how long it lasts, if it does.

    The other fields are `Target`'s.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    at: float = Field(ge=0, le=1)
    for_s: float = Field(default=0, ge=0, le=60)
    event: str = ""
    until: str = ""
    process: str = ""
    place: str = ""
    queue: str = ""
    request: str = ""

    @model_validator(mode="after")
    def _is_known(self) -> "Planned":
        kind = KINDS.get(self.kind)
        if kind is None:
            raise ValueError(f"no fault is called {self.kind!r}; `--list-faults` lists them")
        if (kind.lasts_s is not None) != bool(self.for_s):
            raise ValueError(f"for_s: of {self.kind} it is {'needed' if kind.lasts_s else 'not'}")
        if self.target.fields != kind.fields:
            raise ValueError(
                f"{self.kind} needs {' and '.join(sorted(kind.fields)) or 'nothing more'}"
            )
        return self

    @property
    def target(self) -> Target:
        return Target(**{one.name: getattr(self, one.name) for one in fields(Target)})

    def __str__(self) -> str:
        return f"{self.kind} {self.target}".strip()


class Weather(BaseModel):
    """All faults of a run, earliest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    faults: Sequence[Planned] = Field(default=(), max_length=FAULTS_MAX)

    @property
    def is_calm(self) -> bool:
        return not self.faults

    def to_yaml(self) -> str:
        """What `read` takes."""
        faults = [fault.model_dump(exclude_defaults=True) for fault in self.faults]
        document: str = yaml.safe_dump({"name": self.name, "faults": faults}, sort_keys=False)
        return document


NO_WEATHER = Weather(name=CALM)


def read(path: Path) -> Weather:
    """Raises WeatherRefused."""
    try:
        weather = documents.read(Weather, path, yaml.safe_load)
    except documents.DocumentRefused as error:
        raise WeatherRefused(str(error)) from error
    return weather.model_copy(update={"faults": sorted(weather.faults, key=lambda one: one.at)})


def storm(seed: int, replay_s: float, *, without: Iterable[str] = ()) -> Weather:
    """Faults of every kind in turn, at random moments; the same for the same arguments.

    replay_s: how long shoppers come. without: processes that no fault may be of, because this
    shop cannot do without them.
    """
    dealer = random.Random(f"{seed}/weather")  # noqa: S311  Seeded on purpose, guards nothing.
    count = min(FAULTS_MAX, max(FAULTS_MIN, round(replay_s * FAULTS_PER_S)))
    spared = frozenset(without)
    hit_at: dict[str, float] = {}
    planned = []
    step = (LAST_AT - FIRST_AT) / count
    for number, kind in zip(range(count), _deal(dealer), strict=False):
        at = FIRST_AT + step * (number + dealer.random())
        targets = [
            target
            for target in kind.targets
            if target.process not in spared
            and at * replay_s - hit_at.get(target.process, -APART_S) >= APART_S
        ]
        if not targets:
            continue  # Everybody it could be of has just been hit.
        target = dealer.choice(targets)
        for_s = round(dealer.uniform(*kind.lasts_s), 1) if kind.lasts_s else 0
        if target.process:
            hit_at[target.process] = at * replay_s + for_s
        planned.append(Planned(kind=kind.name, at=round(at, 4), for_s=for_s, **asdict(target)))
    return Weather(name=STORMY, faults=planned)


def _deal(dealer: random.Random) -> Iterable[Kind]:
    """Every kind once in random order, then all of them again, without end."""
    while True:
        deck = list(KINDS.values())
        dealer.shuffle(deck)
        yield from deck
