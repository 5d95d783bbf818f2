"""Each limit of a gate can be missed and met, and a file that is no gate is refused."""

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest
import yaml
from harness import stack
from rich.console import Console
from simulators.checkout import gate, report
from simulators.checkout.comparison import EarlierRun, figures
from simulators.checkout.display import print_result
from simulators.checkout.documents import DocumentRefused
from simulators.checkout.gate import Gate, Limits
from simulators.checkout.times import percentiles
from simulators.checkout.weather.toll import NO_TOLL

if TYPE_CHECKING:
    from conftest import RunOf

LIMITS = sorted(set(Limits.model_fields) - {"baseline"})
GUIDE = (stack.repository() / "docs/report.md").read_text(encoding="utf-8")


def written(folder: Path, text: str) -> Path:
    file = folder / "gate.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("limit", LIMITS)
def test_each_limit_can_be_missed_and_is_met_by_what_just_keeps_it(
    run_of: "RunOf", limit: str
) -> None:
    run = run_of()
    is_ratio, is_least = "_ratio" in limit, limit.endswith("_min")
    # The baseline is the run itself, so that every ratio is 1.
    found = 1.0 if is_ratio else figures(run)[re.sub("_(max|min)$", "", limit)]
    assert found
    beyond = found * (1.01 if is_least else 0.99)

    def judged(allowed: float) -> gate.Judgement:
        baseline = EarlierRun.model_validate(run, from_attributes=True) if is_ratio else None
        named = {limit: allowed, "baseline": "result.json" if is_ratio else ""}
        return Gate(Limits.model_validate(named), baseline).judge(run)

    assert (judged(found).is_met, judged(found).failed) == (True, [])
    assert (judged(beyond).is_met, judged(beyond).failed) == (False, [limit])
    assert judged(beyond).checks[0].found == found


def test_a_run_that_costs_more_than_its_baseline_misses_the_ratio(
    run_of: "RunOf", tmp_path: Path
) -> None:
    report.write(run_of(), tmp_path / "main")
    file = written(
        tmp_path, "baseline: main/result.json\ncpu_ms_per_confirmed_ratio_max: 1.2\nunknown_max: 2"
    )

    judgement = gate.read(file).judge(run_of(cpu_ms_per_confirmed=250.0))

    assert [check.cells for check in judgement.checks] == [
        ("unknown_max", "2", "2", "met"),
        ("cpu_ms_per_confirmed_ratio_max", "1.2", "1.25", "not met"),
    ]
    assert judgement.unlike == []


def test_a_baseline_of_another_plan_is_said(run_of: "RunOf", tmp_path: Path) -> None:
    report.write(run_of(toll=NO_TOLL), tmp_path)
    file = written(tmp_path, "{baseline: result.json, memory_mb_ratio_max: 1}")

    assert gate.read(file).judge(run_of()).unlike == [
        "weather squall with 1 faults, earlier calm with 0 others"
    ]


def test_what_was_not_measured_meets_no_limit(run_of: "RunOf") -> None:
    empty = run_of(placing_ms=percentiles([]), toll=NO_TOLL)
    limits = Limits(placing_p95_ms_max=100, recovery_s_max=100)

    assert Gate(limits).judge(empty).failed == ["placing_p95_ms_max", "recovery_s_max"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("placing_p95: 100", "placing_p95: nothing is called so; there are .*placing_p95_ms_max"),
        ("unknown_max: none", "unknown_max: Input should be a valid number"),
        ("unknown_max: true", "unknown_max: Input should be a valid number"),
        ("unknown_max: -1", "unknown_max: Input should be greater than or equal to 0"),
        ("unknown_max: .nan", "unknown_max: Input should be a finite number"),
        ("unknown_max: .inf", "unknown_max: Input should be a finite number"),
        ("{}", "it has no limit"),
        ("", "Input should be a valid dictionary"),
        ("- unknown_max", "Input should be a valid dictionary"),
        ("unknown_max: [", "while parsing"),
        ("{baseline: result.json, unknown_max: 0}", "need each other"),
        ("memory_mb_ratio_max: 1", "need each other"),
        ("{baseline: gone.json, memory_mb_ratio_max: 1}", r"gone\.json.*No such file"),
    ],
)
def test_what_is_no_gate_is_refused_by_file_and_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DocumentRefused, match=f"(?s){re.escape(str(tmp_path))}.*{said}"):
        gate.read(written(tmp_path, text))


def test_a_baseline_that_measured_nothing_is_refused(run_of: "RunOf", tmp_path: Path) -> None:
    report.write(run_of(cpu_ms_per_confirmed=None), tmp_path)
    file = written(tmp_path, "{baseline: result.json, cpu_ms_per_confirmed_ratio_max: 1}")

    with pytest.raises(DocumentRefused, match=r"ratio_max: .*has no cpu_ms_per_confirmed$"):
        gate.read(file)


def test_a_gate_is_told_in_terminal_page_and_numbers(run_of: "RunOf", tmp_path: Path) -> None:
    judgement = Gate(Limits(unknown_max=0, confirmed_min=1)).judge(run_of())

    with (console := Console(file=io.StringIO(), width=200)).capture() as printed:
        print_result(console, run_of(), "report.html", judgement, shop_stays=False)
    page = report.write(run_of(), tmp_path, judgement).read_text()
    kept = orjson.loads((tmp_path / "result.json").read_bytes())["gate"]

    assert "Gate: not met: unknown_max\n" in printed.get()
    assert "The gate is not met: unknown_max." in page
    assert '<td class="n bad">not met</td>' in page
    assert '<td class="n ok">met</td>' in page
    assert (kept["is_met"], kept["checks"][1]) == (
        False,
        {"limit": "unknown_max", "allowed": 0.0, "found": 2, "is_met": False},
    )


def test_without_a_gate_nothing_is_said_of_one(run_of: "RunOf", tmp_path: Path) -> None:
    with (console := Console(file=io.StringIO(), width=200)).capture() as printed:
        print_result(console, run_of(), "report.html", shop_stays=False)
    page = report.write(run_of(), tmp_path).read_text()

    assert re.findall(r"\b[Gg]ate\b", printed.get() + page) == []
    assert orjson.loads((tmp_path / "result.json").read_bytes())["gate"] is None


def test_the_guide_has_every_limit_and_its_example_is_a_gate() -> None:
    example = GUIDE.partition("```yaml\n")[2].partition("```")[0]

    assert Limits.model_validate(yaml.safe_load(example)).baseline
    assert [limit for limit in LIMITS if f"`{limit}`" not in GUIDE] == []
