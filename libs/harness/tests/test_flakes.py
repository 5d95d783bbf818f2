"""A test that fails under one condition is told with it; so is a suite that breaks down."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from harness import stack
from harness.suite.flakes import (
    CONDITIONS,
    SUITES,
    Condition,
    Failure,
    Round,
    run_round,
    show,
    table,
)
from rich.console import Console

SUITE = """
import os

def test_right(): ...

def test_only_at_home():
    assert os.environ.get("TZ") != "Asia/Kathmandu", "a zone of its own"

def test_open_to_all(tmp_path):
    made = tmp_path / "made"
    made.touch()
    assert made.stat().st_mode & 0o044, "closed to others"
"""


def run(suite: str, condition: Condition, folder: Path) -> Round:
    (folder / "test_them.py").write_text(suite)
    # Only what it takes: importing all that this workspace plugs into pytest is most of a second.
    bare = replace(
        condition, environment={**condition.environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    )
    arguments = ["-p", "random_order.plugin", "-c", "/dev/null", f"--rootdir={folder}"]
    return run_round([*arguments, "test_them.py"], bare, seed=7, folder=folder, root=folder)


def named(name: str) -> Condition:
    return next(condition for condition in CONDITIONS if condition.name == name)


@pytest.mark.parametrize("name", ["quiet", "beside two busy loops", "on one core"])
def test_a_suite_that_is_right_passes_every_round(name: str, tmp_path: Path) -> None:
    assert run(SUITE, named(name), tmp_path) == Round(3, [])


def test_who_heeds_the_shell_is_found_in_a_hostile_one(tmp_path: Path) -> None:
    found = run(SUITE, named("in a hostile shell"), tmp_path)

    assert [failure.test for failure in found.failures] == [
        "test_them.test_only_at_home", "test_them.test_open_to_all",
    ]  # fmt: skip
    assert "a zone of its own" in found.failures[0].output


def test_the_order_is_shuffled_by_a_seed_that_is_told(tmp_path: Path) -> None:
    ordered = "seen = []\n" + "\n".join(
        f"def test_{n}():\n    seen.append({n})\n    assert seen == list(range(len(seen)))"
        for n in range(9)
    )

    assert run(ordered, named("quiet"), tmp_path).failures == []
    assert "seed 7" in run(ordered, named("in random order"), tmp_path).failures[0].where


def test_a_suite_that_breaks_down_is_a_failure_too(tmp_path: Path) -> None:
    found = run("import nothing_of_that_name", named("quiet"), tmp_path)

    assert "nothing_of_that_name" in found.failures[0].output


def test_the_table_counts_each_test_where_it_failed() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    failures = [
        Failure("a", "quiet", ""),
        Failure("b", "quiet", ""),
        Failure("b", "on one core", ""),
    ]

    console.print(table(failures))

    lines = [line.split("│")[1:-1] for line in console.export_text().splitlines() if "│" in line]
    assert [[cell.strip() for cell in line] for line in lines] == [
        ["2", "b", "on one core; quiet"], ["1", "a", "quiet"],
    ]  # fmt: skip


@pytest.mark.parametrize("test", ["test_a[HS256]", "test_b[/stock-body3-/lines]"])
def test_a_tests_name_is_told_as_it_is(test: str) -> None:
    console = Console(width=120, record=True, file=io.StringIO())

    show(console, Failure(test, "quiet", "E  assert [/b] == [red]"))
    console.print(table([Failure(test, "quiet", "")]))

    told = console.export_text()
    assert told.count(test) == 2
    assert "E  assert [/b] == [red]" in told


@pytest.mark.parametrize("suite", SUITES)
def test_a_round_runs_what_make_runs(suite: str) -> None:
    makefile = (stack.repository() / "Makefile").read_text(encoding="utf-8")

    assert f" {' '.join(SUITES[suite])} " in makefile.replace("\n", " ")
