"""A run beside an earlier one: what is counted, what is said, and what is refused."""

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest
from rich.console import Console
from simulators.checkout import comparison, report
from simulators.checkout.comparison import EarlierRun, compare, figures, told
from simulators.checkout.display import print_result
from simulators.checkout.documents import DocumentRefused
from simulators.checkout.results import Plan, Result
from simulators.checkout.times import percentiles
from simulators.checkout.weather.toll import NO_TOLL, Toll

if TYPE_CHECKING:
    from conftest import RunOf


def stored(result: Result, folder: Path) -> EarlierRun:
    report.write(result, folder)
    return comparison.read(folder / "result.json")


def test_what_is_stored_has_the_figures_of_the_run(run_of: "RunOf", tmp_path: Path) -> None:
    assert figures(stored(run_of(), tmp_path)) == figures(run_of())


def test_each_figure_stands_beside_the_earlier_one_with_difference_and_ratio(
    run_of: "RunOf", tmp_path: Path
) -> None:
    slower = run_of(cpu_ms_per_confirmed=250.0, outcomes={"confirmed": 17, "cancelled: x": 3})

    rows = {r.figure: r for r in compare(slower, stored(run_of(), tmp_path), tmp_path).rows}

    assert rows["cpu_ms_per_confirmed"].cells[1:] == ("200", "250", "+50", "1.25")
    assert rows["confirmed"].cells[1:] == ("18", "17", "-1", "0.944")
    assert rows["unknown"].cells[1:] == ("2", "0", "-2", "0")
    assert rows["cancelled: x"].cells[1:] == ("0", "3", "+3", "–")
    assert rows["memory_mb"].cells[1:] == ("200", "200", "0", "1")


def test_whatever_the_reason_what_is_unknown_is_counted_as_one(run_of: "RunOf") -> None:
    found = figures(run_of(outcomes={"unknown: still pending": 2, "unknown: read_order …": 1}))

    assert (found["unknown"], found["unknown: still pending"]) == (3, 2)


def test_what_was_not_measured_has_no_difference(run_of: "RunOf", tmp_path: Path) -> None:
    empty = run_of(placing_ms=percentiles([]), toll=NO_TOLL)

    rows = {r.figure: r for r in compare(empty, stored(run_of(), tmp_path), tmp_path).rows}

    assert rows["placing_p95_ms"].cells[1:] == ("100", "–", "–", "–")
    assert rows["recovery_s"].cells[1:] == ("1.5", "–", "–", "–")


def test_the_verdicts_stand_beside_each_other(run_of: "RunOf", tmp_path: Path) -> None:
    broken, unjudged = run_of(outcomes={}), run_of(traces_unread="refused")

    beside = compare(broken, stored(run_of(), tmp_path / "a"), tmp_path)
    other = compare(run_of(), stored(unjudged, tmp_path / "b"), tmp_path)

    assert beside.verdicts == ("every invariant holds", "it does not hold")
    assert other.verdicts == ("not judged", "every invariant holds")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 8}, "seed 8, earlier 7"),
        ({"baskets": 30}, "baskets 30, earlier 20"),
        ({"speed": 50.0}, "speed 50.0, earlier 100.0"),
        ({"concurrency": 8}, "concurrency 8, earlier 4"),
        ({"journey": "full"}, "journey full, earlier sample"),
        ({"command": "cartwright simulate --seed 7 --keep"}, None),
    ],
)
def test_another_plan_is_said(
    run_of: "RunOf", tmp_path: Path, change: dict[str, object], said: str | None
) -> None:
    plan: Plan = replace(run_of().plan, **change)  # type: ignore[arg-type]

    unlike = compare(run_of(plan=plan), stored(run_of(), tmp_path), tmp_path).unlike

    assert unlike == ([said] if said else [])


def test_another_weather_is_said(run_of: "RunOf", tmp_path: Path) -> None:
    squall = run_of().toll
    hotter = Toll("squall", [replace(squall.faults[0], target="cart-web")])
    luckier = Toll("squall", [replace(squall.faults[0], recovered_s=0.1, orders=())])
    earlier = stored(run_of(), tmp_path)

    unlike = [
        compare(run_of(toll=toll), earlier, tmp_path).unlike for toll in (hotter, NO_TOLL, luckier)
    ]

    assert unlike == [
        ["weather squall with 1 faults, earlier squall with 1 others"],
        ["weather calm with 0 faults, earlier squall with 1 others"],
        [],
    ]


def test_a_run_that_was_cut_short_is_said(run_of: "RunOf", tmp_path: Path) -> None:
    cut = run_of(interrupted=True, baskets=3)

    assert compare(cut, stored(run_of(), tmp_path), tmp_path).unlike == [
        "interrupted after 3 baskets, earlier 20"
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"{", "unexpected end"), (b"{}", "plan: Field required")],
    ids=["none", "no JSON", "another file"],
)
def test_what_is_no_result_is_refused_by_its_name(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "result.json"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(DocumentRefused, match=said) as refused:
        comparison.read(file)

    assert str(file) in str(refused.value)


def test_a_comparison_is_told_in_terminal_page_and_numbers(run_of: "RunOf", tmp_path: Path) -> None:
    earlier, now = stored(run_of(), tmp_path / "then"), run_of(cpu_ms_per_confirmed=250.0)
    now = replace(now, plan=replace(now.plan, seed=8))
    beside = compare(now, earlier, tmp_path / "then")

    with (console := Console(file=io.StringIO(), width=200)).capture() as printed:
        print_result(console, now, "report.html", None, beside, shop_stays=False)
    page = report.write(now, tmp_path, None, beside).read_text()
    kept = orjson.loads((tmp_path / "result.json").read_bytes())["comparison"]

    for told_by in (printed.get(), page):
        for said in ("cpu_ms_per_confirmed", "+50", "1.25", "seed 8, earlier 7", "then"):
            assert said in told_by
    assert (kept["earlier"], kept["unlike"]) == (str(tmp_path / "then"), ["seed 8, earlier 7"])
    assert {"figure": "cpu_ms_per_confirmed", "earlier": 200.0, "now": 250.0} in [
        {key: row[key] for key in ("figure", "earlier", "now")} for row in kept["rows"]
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (100, "100"),
        (1.15, "1.15"),
        (1.1534, "1.153"),
        (1234.56, "1,234.6"),
        (-20.0, "-20"),
    ],
)
def test_figures_are_as_fine_as_needed(value: float | None, text: str) -> None:
    assert told(value) == text
