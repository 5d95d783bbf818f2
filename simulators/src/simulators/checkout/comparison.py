"""A run beside an earlier one: its figures, and by how much they differ. Judges nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict

from simulators.checkout import documents
from simulators.checkout.results import Plan, Resource, Result
from simulators.checkout.times import Percentiles, percentiles
from simulators.checkout.weather.toll import Toll

RESULT = "result.json"  # In the folder of a run.
HEADS = ("figure", "earlier", "now", "difference", "ratio")
# Below it a tenth is too coarse to tell what is just met from what is just not.
COARSE_FROM = 10


class EarlierRun(BaseModel):
    """The part of a stored `Result` that is compared, with the same names."""

    model_config = ConfigDict(frozen=True)

    plan: Plan
    baskets: int
    holds: bool
    is_judged: bool
    interrupted: bool
    outcomes: Mapping[str, int]
    placing_ms: Percentiles
    confirming_ms: Percentiles
    visit_ms: Percentiles = percentiles([])  # By a version that did not yet.
    checkouts_per_s: float
    cpu_ms_per_confirmed: float | None
    resources: Sequence[Resource]
    phases_s: Mapping[str, float]
    toll: Toll


Run = Result | EarlierRun


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both runs. None: there was nothing to measure, or to divide by."""

    figure: str
    earlier: float | None
    now: float | None
    difference: float | None
    ratio: float | None

    @property
    def cells(self) -> Sequence[str]:
        """For people, as `HEADS` names them."""
        difference = f"{'+' if (self.difference or 0) > 0 else ''}{told(self.difference)}"
        return self.figure, told(self.earlier), told(self.now), difference, told(self.ratio)


@dataclass(frozen=True, slots=True)
class Comparison:
    """earlier: the folder of that run. verdicts: its, and this one's.

    unlike: why the figures cannot be laid on the code alone, a phrase each.
    """

    earlier: str
    verdicts: tuple[str, str]
    unlike: Sequence[str]
    rows: Sequence[Row]

    @property
    def cells(self) -> Sequence[Sequence[str]]:
        """Rows for people, as `HEADS` names them."""
        return [("verdict", *self.verdicts, "", ""), *(row.cells for row in self.rows)]


def read(path: Path) -> EarlierRun:
    """path: a ``result.json``. Raises DocumentRefused."""
    return documents.read(EarlierRun, path, orjson.loads)


def compare(now: Run, earlier: EarlierRun, folder: Path) -> Comparison:
    """folder: where *earlier* is kept."""
    before, after = figures(earlier), figures(now)
    names = dict.fromkeys((*earlier.outcomes, *now.outcomes, *after))
    # What is missing is an outcome that no basket of that run had.
    rows = [_row(name, before.get(name, 0), after.get(name, 0)) for name in names]
    return Comparison(str(folder), (verdict(earlier), verdict(now)), unlike(now, earlier), rows)


def _row(name: str, before: float | None, after: float | None) -> Row:
    difference = None if before is None or after is None else after - before
    return Row(name, before, after, difference, ratio(after, before))


def ratio(now: float | None, earlier: float | None) -> float | None:
    """None where there is nothing to divide, or to divide by."""
    return None if now is None or not earlier else now / earlier


def figures(run: Run) -> dict[str, float | None]:
    """What a gate can limit and a comparison shows, by name; None: nothing was measured.

    The outcomes first, with ``confirmed`` and ``unknown``, for whatever reason, always among them.
    """
    return {
        "confirmed": 0,
        **run.outcomes,
        "unknown": sum(n for o, n in run.outcomes.items() if o.partition(":")[0] == "unknown"),
        **_percentiles("placing", run.placing_ms),
        **_percentiles("confirming", run.confirming_ms),
        **_percentiles("visit", run.visit_ms),
        "checkouts_per_s": run.checkouts_per_s,
        "cpu_ms_per_confirmed": run.cpu_ms_per_confirmed,
        "memory_mb": sum(resource.pss_mb for resource in run.resources),
        "recovery_s": run.toll.slowest_recovery_s,
        "settle_s": run.phases_s["settle"],
    }


def _percentiles(name: str, times: Percentiles) -> dict[str, float | None]:
    shares = {"p50": times.p50, "p95": times.p95, "p99": times.p99}
    return {f"{name}_{share}_ms": value for share, value in shares.items()}


def unlike(now: Run, earlier: EarlierRun) -> list[str]:
    """What of the two runs is not the same, a phrase each; empty if all that was asked is."""
    asked = ("journey", "baskets", "speed", "concurrency", "seed")
    found = [
        f"{name} {value}, earlier {before}"
        for name in asked
        if (value := getattr(now.plan, name)) != (before := getattr(earlier.plan, name))
    ]
    if _faults(now.toll) != _faults(earlier.toll):
        found.append(
            f"weather {now.toll.weather} with {len(now.toll.faults)} faults,"
            f" earlier {earlier.toll.weather} with {len(earlier.toll.faults)} others"
        )
    if now.baskets != earlier.baskets and (now.interrupted or earlier.interrupted):
        found.append(f"interrupted after {now.baskets} baskets, earlier {earlier.baskets}")
    return found


def _faults(toll: Toll) -> list[tuple[str, str]]:
    return [(fault.kind, fault.target) for fault in toll.faults]


def verdict(run: Run) -> str:
    """As people read it."""
    if run.holds:
        return "every invariant holds"
    return "it does not hold" if run.is_judged else "not judged"


def told(value: float | None) -> str:
    """A figure for people, whose unit stands in its name."""
    if value is None:
        return "–"
    places = 1 if abs(value) >= COARSE_FROM else 3
    return f"{value:,.{places}f}".rstrip("0").rstrip(".")
