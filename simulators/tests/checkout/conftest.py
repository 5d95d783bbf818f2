"""A run that held, told in round figures."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from harness.audit.checkers import CHECKERS, Finding
from harness.audit.settlement import Unrest
from simulators.checkout.job_summary import VARIABLE
from simulators.checkout.results import Plan, Resource, Result
from simulators.checkout.times import Percentiles
from simulators.checkout.weather.toll import Struck, Toll

RunOf = Callable[..., Result]
FREEZE = Struck("freeze", "order-web", 0.2, 0.2, 0.7, 1, ["o-1"], 1.5, "")


@pytest.fixture(autouse=True)
def _no_job_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests run is not told to the CI that they run in."""
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def run_of() -> RunOf:
    """Makes the run, but for the facts that are given."""

    def make(**facts: Any) -> Result:
        return replace(HELD, **facts)

    return make


HELD = Result(
    plan=Plan("sample", 20, 100.0, 4, 7, "cartwright simulate --seed 7"),
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    phases_s={"replay": 5.0, "settle": 2.0},
    baskets=20,
    interrupted=False,
    unrest=Unrest(0, 0, 0, 0, 0, 0),
    outcomes={"confirmed": 18, "unknown": 2},
    by_persona={},
    placing_ms=Percentiles(20, 50.0, 100.0, 150.0, 200.0),
    confirming_ms=Percentiles(18, 500.0, 1000.0, 1500.0, 2000.0),
    lateness_ms=Percentiles(20, 0.0, 0.0, 0.0, 0.0),
    visit_ms=Percentiles(20, 900.0, 1900.0, 2900.0, 3900.0),
    checkouts_per_s=4.0,
    confirmed_per_s=3.6,
    cpu_ms_per_confirmed=200.0,
    resources=[Resource("order-web", 3.6, 60.0), Resource("postgres", 1.0, 140.0)],
    restarts=[],
    excused=0,
    traces_unread="",
    others=0,
    earlier=[],
    findings=[Finding(CHECKERS[0], ())],
    checkouts=[],
    versions={},
    traces_url="http://store",
    slowest=[],
    exhibits=[],
    timeline=[],
    toll=Toll("squall", [FREEZE], calmed_s=0.5),
)
