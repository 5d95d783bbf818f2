"""What CI shows of a run: short, what is broken first, and never a reason to fail."""

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
from harness.audit.checkers import CHECKERS, Finding
from harness.audit.checkers.violation import Violation
from rich.console import Console
from simulators.checkout import report
from simulators.checkout.comparison import compare, read
from simulators.checkout.exits import EXIT_NOT_JUDGED, told_if_not_judged
from simulators.checkout.gate import Gate, Limits
from simulators.checkout.job_summary import VARIABLE, append, markdown
from simulators.checkout.run import ShopNotAtRest
from simulators.checkout.weather.toll import Toll

if TYPE_CHECKING:
    from conftest import RunOf


def test_a_run_that_held_is_told_in_a_few_lines(run_of: "RunOf") -> None:
    assert markdown(run_of(), None).splitlines() == [
        "## Cartwright: every invariant holds",
        "",
        "20 baskets of sample, seed 7",
        "",
        "18 confirmed, 2 unknown",
        "",
        str(run_of().toll),
        "",
        "Again:",
        "",
        "    cartwright simulate --seed 7",
        "",
    ]


def test_what_is_broken_comes_before_the_gate_and_reads_as_it_was_written(run_of: "RunOf") -> None:
    wrong = Violation("it <b>costs</b> a | too\nmuch", "o-1")
    broken = run_of(findings=[Finding(CHECKERS[0], (wrong, wrong))])
    judgement = Gate(Limits(unknown_max=0)).judge(broken)

    text = markdown(broken, judgement)

    assert text.startswith("## Cartwright: it does not hold\n")
    assert r": it \<b\>costs\</b\> a \| too much ×2 (order o-1)" in text
    assert text.index("costs") < text.index("### The gate is **not met**")
    assert "| limit | allowed | found | verdict |\n| --- | --- | --- | --- |\n" in text
    assert r"| unknown\_max | 0 | 2 | not met |" in text


def test_an_earlier_run_stands_beside_it(run_of: "RunOf", tmp_path: Path) -> None:
    report.write(run_of(), tmp_path)
    slower = run_of(cpu_ms_per_confirmed=250.0)

    text = markdown(slower, None, compare(slower, read(tmp_path / "result.json"), tmp_path))

    assert "| figure | earlier | now | difference | ratio |\n" in text
    assert r"| cpu\_ms\_per\_confirmed | 200 | 250 | +50 | 1.25 |" in text


def test_why_nothing_is_proven_is_said(run_of: "RunOf") -> None:
    met_nothing = replace(run_of().toll.faults[0], met_s=None)
    weak = run_of(toll=Toll("squall", [met_nothing]), others=3)

    text = markdown(weak, None)

    assert text.startswith("## Cartwright: not judged\n")
    assert "- not alone: others placed 3 orders meanwhile\n- too little happened" in text


def test_each_run_is_appended_to_the_file_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "summary.md"
    monkeypatch.setenv(VARIABLE, str(file))

    append(Console(file=io.StringIO()), "one\n")
    append(Console(file=io.StringIO()), "two\n")

    assert file.read_text() == "one\ntwo\n"


def test_a_run_that_nobody_could_judge_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "summary.md"
    monkeypatch.setenv(VARIABLE, str(file))

    with (
        pytest.raises(typer.Exit) as ended,
        told_if_not_judged(Console(file=io.StringIO()), tmp_path),
    ):
        raise ShopNotAtRest("5 messages [queued]")

    assert ended.value.exit_code == EXIT_NOT_JUDGED
    assert file.read_text().startswith(
        "## Cartwright: not judged\n\nThe shop is not at rest: 5 messages \\[queued\\]."
    )


def test_a_file_that_cannot_be_written_is_said_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone" / "summary.md"))
    told = io.StringIO()

    append(Console(file=told, width=200), "one\n")

    assert "No job summary" in told.getvalue()
    assert "summary.md" in told.getvalue()


def test_nobody_who_asks_for_none_gets_one() -> None:
    told = io.StringIO()

    append(Console(file=told), "one\n")

    assert told.getvalue() == ""
