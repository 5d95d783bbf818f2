"""The gate of a run: its figures against limits from a file. The invariants are not its matter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from simulators.checkout import comparison, documents
from simulators.checkout.comparison import EarlierRun, Run

HEADS = ("limit", "allowed", "found", "verdict")
RATIO = "_ratio"
Limit = Annotated[float | None, Field(ge=0)]


class Limits(BaseModel):
    """What a run's figures may be: a limit is `comparison.figures`' name with ``_max``, ``_min``,
    or ``_ratio_max``, which is to the same figure of the baseline.

    baseline: an earlier ``result.json``; its path begins at the gate's own folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    baseline: str = ""
    confirmed_min: Limit = None
    unknown_max: Limit = None
    placing_p50_ms_max: Limit = None
    placing_p95_ms_max: Limit = None
    placing_p99_ms_max: Limit = None
    confirming_p50_ms_max: Limit = None
    confirming_p95_ms_max: Limit = None
    confirming_p99_ms_max: Limit = None
    visit_p95_ms_max: Limit = None
    checkouts_per_s_min: Limit = None
    cpu_ms_per_confirmed_max: Limit = None
    memory_mb_max: Limit = None
    recovery_s_max: Limit = None
    settle_s_max: Limit = None
    placing_p95_ms_ratio_max: Limit = None
    confirming_p95_ms_ratio_max: Limit = None
    cpu_ms_per_confirmed_ratio_max: Limit = None
    memory_mb_ratio_max: Limit = None
    recovery_s_ratio_max: Limit = None

    @model_validator(mode="after")
    def _limits_something(self) -> "Limits":
        if not self.given:
            raise ValueError("it has no limit, so that every run would meet it")
        if bool(self.baseline) != any(RATIO in name for name in self.given):
            raise ValueError("a baseline and a limit that ends with _ratio_max need each other")
        return self

    @property
    def given(self) -> Mapping[str, float]:
        """Those that are set, by name."""
        return self.model_dump(exclude={"baseline"}, exclude_none=True)


@dataclass(frozen=True, slots=True)
class Check:
    """One limit. found: None if nothing was measured, which meets no limit."""

    limit: str
    allowed: float
    found: float | None
    is_met: bool

    @property
    def cells(self) -> Sequence[str]:
        """For people, as `HEADS` names them."""
        found, allowed = comparison.told(self.found), comparison.told(self.allowed)
        return self.limit, allowed, found, "met" if self.is_met else "not met"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a gate. unlike: how the baseline's run was another one, a phrase each."""

    checks: Sequence[Check]
    unlike: Sequence[str]

    @property
    def is_met(self) -> bool:
        return all(check.is_met for check in self.checks)

    @property
    def failed(self) -> Sequence[str]:
        """The names of the limits that are not met."""
        return [check.limit for check in self.checks if not check.is_met]


@dataclass(frozen=True, slots=True)
class Gate:
    """baseline: the run that ratios are to; None if no limit is one."""

    limits: Limits
    baseline: EarlierRun | None = None

    def judge(self, run: Run) -> Judgement:
        now = comparison.figures(run)
        before = comparison.figures(self.baseline) if self.baseline else {}
        checks = [_check(name, limit, now, before) for name, limit in self.limits.given.items()]
        return Judgement(checks, comparison.unlike(run, self.baseline) if self.baseline else [])


def read(path: Path) -> Gate:
    """Raises DocumentRefused, also for a baseline that lacks what a ratio is to."""
    limits = documents.read(Limits, path, yaml.safe_load)
    if not limits.baseline:
        return Gate(limits)
    at = path.parent / limits.baseline
    baseline = comparison.read(at)
    known = comparison.figures(baseline)
    for name in limits.given:
        if RATIO in name and not known[_figure(name)]:
            raise documents.DocumentRefused(f"{path}: {name}: {at} has no {_figure(name)}")
    return Gate(limits, baseline)


def _figure(limit: str) -> str:
    return limit.rpartition("_")[0].removesuffix(RATIO)


def _check(
    name: str,
    allowed: float,
    now: Mapping[str, float | None],
    before: Mapping[str, float | None],
) -> Check:
    found = now[_figure(name)]
    if RATIO in name:
        found = comparison.ratio(found, before[_figure(name)])
    if found is None:
        return Check(name, allowed, found, is_met=False)
    is_met = found >= allowed if name.endswith("_min") else found <= allowed
    return Check(name, allowed, found, is_met)
