"""The gate of a load run: figures against slo.yaml. Knows no shop; of Locust, what it counted."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml
from pydantic import BaseModel, ConfigDict, Field

SLO_FILE = Path(__file__).parent / "slo.yaml"
# As the simulator's. make itself ends with 2 for either of the last two.
EXIT_HOLDS, EXIT_BROKEN, EXIT_NOT_JUDGED = 0, 2, 3
# In a traceback.
FRAME = re.compile(r"^ +(File .+)$", re.MULTILINE)


class Slo(BaseModel):
    """p95_ms_max, slowest_ms_max: by `<method> <name>`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_min: int = Field(gt=0)  # With 0, a run that did nothing would hold.
    fail_ratio_max: float = Field(ge=0, le=1)
    p95_ms_max: Mapping[str, float] = Field(min_length=1)
    # While the shop stands still nobody asks again: it leaves one slow answer for each shopper.
    slowest_ms_max: Mapping[str, float] = Field(min_length=1)


@dataclass(frozen=True)
class Figures:
    """Of one method and name."""

    requests: int
    failures: int
    p95_ms: float
    slowest_ms: float


class StatsEntry(Protocol):
    """The part of `locust.stats.StatsEntry` that is read here."""

    method: str | None
    name: str
    num_requests: int
    num_failures: int
    max_response_time: float

    def get_response_time_percentile(self, percent: float) -> float: ...


def load(path: Path = SLO_FILE) -> Slo:
    """Raises pydantic's ValidationError if the file names what we do not know."""
    return Slo.model_validate(yaml.safe_load(path.read_text()))


def figures(entries: Iterable[StatsEntry]) -> dict[str, Figures]:
    return {
        f"{entry.method} {entry.name}": Figures(
            entry.num_requests,
            entry.num_failures,
            entry.get_response_time_percentile(0.95),
            entry.max_response_time,
        )
        for entry in entries
    }


def violations(slo: Slo, measured: Mapping[str, Figures]) -> list[str]:
    """A sentence for each promise that does not hold; the failures of every name count."""
    requests = sum(figure.requests for figure in measured.values())
    failures = sum(figure.failures for figure in measured.values())
    found = []
    if requests and failures / requests > slo.fail_ratio_max:
        found.append(f"{failures} of {requests} failed, allowed is {slo.fail_ratio_max:.1%}")
    for name in {**slo.p95_ms_max, **slo.slowest_ms_max}:
        figure = measured.get(name, Figures(0, 0, 0.0, 0.0))
        if figure.requests < slo.requests_min:
            found.append(f"{name}: {figure.requests} requests, too few of {slo.requests_min}")
            continue
        for what, ms, limits in (
            ("p95", figure.p95_ms, slo.p95_ms_max),
            ("the slowest", figure.slowest_ms, slo.slowest_ms_max),
        ):
            if name in limits and ms > limits[name]:
                found.append(f"{name}: {what} is {ms:.0f} ms, allowed are {limits[name]:.0f} ms")
    return found


def raised(exceptions: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each place where a task raised: a visit ended, and no request failed."""
    return [
        f"a task raised {one['msg']} ×{one['count']}: {FRAME.findall(one['traceback'])[-1]}"
        for one in exceptions
    ]


def verdict(environment: Any, broken: list[str], holds: str) -> list[str]:
    """What to tell, and Locust's exit code made to say the same. holds: told if nothing broke.

    Left to Locust it would be 1 for any failure, also for one that is allowed.
    """
    environment.process_exit_code = EXIT_BROKEN if broken else EXIT_HOLDS
    return broken or [holds]


def gate(environment: Any, slo: Slo) -> list[str]:
    """What the run's figures break, and what its tasks raised."""
    measured = figures(environment.stats.entries.values())
    broken = [f"SLO broken: {sentence}" for sentence in violations(slo, measured)]
    return broken + raised(environment.runner.exceptions.values())
