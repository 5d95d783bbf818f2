"""A weather: which faults, of what, when. Data: drawn from a seed or read from a file, and kept."""

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from itertools import islice
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from simulators.checkout import documents
from simulators.checkout.weather.kinds import Kind, Seam, Target
from simulators.checkout.weather.registry import KINDS

Card = TypeVar("Card")

CALM, STORMY = "calm", "stormy"
# A storm on two cores that lets checkouts through all the same: a fault a second, and one more of
# messages, which cost little and of which there are the most.
FAULTS_PER_S, OF_MESSAGES_PER_S = 1.0, 1.0
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

    def has_broken(self, place: str) -> bool:
        """Whether one of the faults is of the line to *place*."""
        return any(fault.place == place for fault in self.faults)

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
    of_messages = [kind for kind in KINDS.values() if kind.seam is Seam.MESSAGES]
    spared = frozenset(without)
    planned = [
        *_dealt(list(KINDS.values()), FAULTS_PER_S, dealer, replay_s, spared),
        *_dealt(of_messages, OF_MESSAGES_PER_S, dealer, replay_s, spared),
    ]
    return Weather(name=STORMY, faults=sorted(planned, key=lambda one: one.at))


def _dealt(
    kinds: Sequence[Kind],
    per_s: float,
    dealer: random.Random,
    replay_s: float,
    spared: Collection[str],
) -> Iterable[Planned]:
    count = min(FAULTS_MAX // 2, max(FAULTS_MIN, round(replay_s * per_s)))
    deck, hit_at = _shuffled(kinds, dealer), dict[str, float]()
    targets = {kind.name: _shuffled(kind.targets, dealer) for kind in kinds}
    step = (LAST_AT - FIRST_AT) / count
    for number, kind in zip(range(count), deck, strict=False):
        at = FIRST_AT + step * (number + dealer.random())

        def may_be(target: Target, at: float = at) -> bool:
            is_well = at * replay_s - hit_at.get(target.process, -APART_S) >= APART_S
            return target.process not in spared and is_well

        tried = islice(targets[kind.name], len(kind.targets))
        target = next(filter(may_be, tried), None)
        if target is None:
            continue  # Everybody it could be of has just been hit.
        for_s = round(dealer.uniform(*kind.lasts_s), 1) if kind.lasts_s else 0
        if target.process:
            hit_at[target.process] = at * replay_s + for_s
        yield Planned(kind=kind.name, at=round(at, 4), for_s=for_s, **asdict(target))


def _shuffled(cards: Sequence[Card], dealer: random.Random) -> Iterator[Card]:
    """Each once in random order, then all of them again, without end."""
    while True:
        deck = list(cards)
        dealer.shuffle(deck)
        yield from deck
