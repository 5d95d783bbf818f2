"""The gate can fail, for each of its reasons."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import slo
from pydantic import ValidationError
from slo import Figures, Slo

SLO = Slo(
    requests_min=10,
    fail_ratio_max=0.1,
    p95_ms_max={"POST /orders": 100.0},
    slowest_ms_max={"POST /orders": 1000.0},
)


@dataclass
class FakeEntry:
    method: str | None
    name: str
    num_requests: int
    num_failures: int
    p95_ms: float
    max_response_time: float = 0.0

    def get_response_time_percentile(self, percent: float) -> float:
        assert percent == 0.95
        return self.p95_ms


@dataclass
class FakeStats:
    entries: dict[str, FakeEntry]


@dataclass
class FakeRunner:
    exceptions: dict[int, dict[str, Any]] = field(default_factory=dict)


@dataclass
class FakeEnvironment:
    stats: FakeStats
    runner: FakeRunner = field(default_factory=FakeRunner)
    process_exit_code: int | None = field(default=None)


def environment(entry: FakeEntry) -> Any:
    return FakeEnvironment(FakeStats({"only": entry}))


def test_figures_within_their_limits_break_nothing() -> None:
    assert slo.violations(SLO, {"POST /orders": Figures(10, 1, 100.0, 100.0)}) == []


def test_a_slow_name_breaks_it() -> None:
    (broken,) = slo.violations(SLO, {"POST /orders": Figures(10, 0, 101.0, 101.0)})

    assert "p95 is 101 ms" in broken


def test_a_shop_that_stood_still_breaks_it_though_few_had_to_wait() -> None:
    """Eight shoppers wait once; the 95th percentile of their 280 visits is as on any other day."""
    frozen = environment(FakeEntry("POST", "/orders", 280, 0, 50.0, max_response_time=9_900.0))

    (broken,) = slo.gate(frozen, SLO)

    assert "the slowest is 9900 ms, allowed are 1000 ms" in broken


def test_a_name_that_only_its_slowest_limits_must_be_there_too() -> None:
    misspelt = SLO.model_copy(update={"slowest_ms_max": {"POST /order": 1000.0}})

    (broken,) = slo.violations(misspelt, {"POST /orders": Figures(10, 0, 50.0, 9_900.0)})

    assert broken == "POST /order: 0 requests, too few of 10"


def test_failures_of_a_name_without_a_limit_count_too() -> None:
    measured = {"POST /orders": Figures(10, 0, 50.0, 50.0), "GET /cart": Figures(10, 3, 5.0, 5.0)}

    (broken,) = slo.violations(SLO, measured)

    assert broken.startswith("3 of 20 failed")


def test_a_run_that_did_nothing_breaks_it() -> None:
    (broken,) = slo.violations(SLO, {})

    assert "0 requests" in broken


def test_too_few_requests_say_nothing_and_break_it() -> None:
    (broken,) = slo.violations(SLO, {"POST /orders": Figures(9, 0, 1.0, 1.0)})

    assert "too few" in broken


def test_the_gate_reads_what_locust_counted() -> None:
    slow = environment(FakeEntry("POST", "/orders", 10, 0, 500.0))
    quick = environment(FakeEntry("POST", "/orders", 10, 0, 50.0))

    (broken,) = slo.gate(slow, SLO)

    assert broken.startswith("SLO broken: POST /orders")
    assert slo.gate(quick, SLO) == []


def test_a_broken_promise_is_the_exit_code() -> None:
    slow = environment(FakeEntry("POST", "/orders", 10, 0, 500.0))

    told = slo.verdict(slow, slo.gate(slow, SLO), "holds")

    assert slow.process_exit_code == slo.EXIT_BROKEN
    assert told[0].startswith("SLO broken: POST /orders")


def test_kept_promises_are_the_exit_code_though_a_failure_was_allowed() -> None:
    quick = environment(FakeEntry("POST", "/orders", 10, 1, 50.0))

    told = slo.verdict(quick, slo.gate(quick, SLO), "holds")

    assert quick.process_exit_code == slo.EXIT_HOLDS
    assert told == ["holds"]


def test_a_task_that_raised_breaks_it_whatever_the_figures_are() -> None:
    quick = environment(FakeEntry("POST", "/orders", 10, 0, 50.0))
    quick.runner.exceptions = {
        1: {
            "count": 3,
            "msg": "'access_token'",
            "traceback": '  File "task.py", line 9, in run\n    self.task()\n'
            '  File "locustfile.py", line 120, in check_out\n    entered["access_token"]\n',
        }
    }

    told = slo.verdict(quick, slo.gate(quick, SLO), "holds")

    assert quick.process_exit_code == slo.EXIT_BROKEN
    assert told == [
        "a task raised 'access_token' ×3: File \"locustfile.py\", line 120, in check_out"
    ]


def test_the_committed_file_is_understood() -> None:
    committed = slo.load()

    assert "POST /orders" in committed.p95_ms_max
    assert committed.slowest_ms_max.keys() == committed.p95_ms_max.keys()


@pytest.mark.parametrize("file", ["slo.yaml", "smoke.yaml"])
def test_no_limit_of_a_percentile_is_finer_than_what_locust_tells(file: str) -> None:
    """It keeps two significant digits."""
    limits = slo.load(slo.SLO_FILE.with_name(file)).p95_ms_max

    assert all(limit == float(f"{limit:.1e}") for limit in limits.values())


def test_the_file_of_the_smoke_test_limits_the_slowest_as_much_as_the_rest() -> None:
    smoke = slo.load(slo.SLO_FILE.with_name("smoke.yaml"))

    assert smoke.slowest_ms_max == smoke.p95_ms_max


def test_a_misspelt_promise_is_refused() -> None:
    with pytest.raises(ValidationError):
        Slo.model_validate({"requests_min": 1, "fail_ratio_max": 0, "p95_ms_maxx": {"a": 1}})
