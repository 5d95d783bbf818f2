"""Mutants as data: none is stale, the double of the repository is one, verdicts are just."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness import stack
from harness.suite.mutants import __main__ as command
from harness.suite.mutants import definition, overlay, page, simulation, trials
from harness.suite.mutants.definition import (
    SIMULATOR,
    Catcher,
    MalformedMutant,
    Mutant,
    StaleMutant,
)
from harness.suite.mutants.results import FILE, Results, Verdict
from harness.suite.mutants.trials import Trial

ROOT = stack.repository()
MUTANTS = definition.read_all(ROOT)
MUTANTS_MIN = 30
MUTANT = Mutant(
    *("nap", "order", "It sleeps.", "services/s/src/s/a.py", "awake", "asleep"),
    catchers=(Catcher("features/x/day.feature"),),
)
SEEN = {
    "path": "features/x/day.feature", "check": "A day", "ended": "passed",
    "step": "", "checkers": [], "why": "", "seconds": 1.0,
}  # fmt: skip


def seen(ended: str, check: str = "A day") -> dict[str, Any]:
    return SEEN | {"ended": ended, "check": check}


def trial(*outcomes: dict[str, Any], loaded: bool = True, cut_short: bool = False) -> Trial:
    by = {MUTANT.file: ["order-web"] if loaded else []}
    return Trial(list(outcomes), by, 1.0, cut_short, "")


def judged(found: Trial, *, control: str = "passed") -> Verdict:
    results = Results(control={"features/x/day.feature: A day": control})
    return results.take(MUTANT, found, "abc").verdict


def test_there_are_as_many_as_promised() -> None:
    assert len(MUTANTS) >= MUTANTS_MIN


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_no_mutant_is_stale_and_each_is_still_python(mutant: Mutant) -> None:
    spoilt = mutant.applied((ROOT / mutant.file).read_text(encoding="utf-8"))

    compile(spoilt, mutant.file, "exec")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_whoever_is_to_notice_is_there(mutant: Mutant) -> None:
    for catcher in (c for c in mutant.catchers if c.path != SIMULATOR):
        assert (ROOT / catcher.path).is_file(), catcher


@pytest.mark.parametrize("source", ["nobody is here", "awake, and awake"])
def test_a_text_that_is_not_there_once_is_stale(source: str) -> None:
    with pytest.raises(StaleMutant, match="nap"):
        MUTANT.applied(source)


@pytest.mark.parametrize("changed", [{"new": "awake"}, {"catchers": []}, {"why": "for fun"}])
def test_a_definition_that_says_too_little_or_too_much_is_refused(
    changed: dict[str, Any], tmp_path: Path
) -> None:
    entry = {
        "name": "nap", "wrong": "It sleeps.", "file": "a.py", "old": "awake", "new": "asleep",
        "catchers": ["audit"],
    }  # fmt: skip
    (tmp_path / "mutants").mkdir()
    (tmp_path / "mutants" / "order.yaml").write_text(json.dumps([entry | changed]))

    with pytest.raises(MalformedMutant):
        definition.read_all(tmp_path)


def test_a_catcher_may_choose_by_words() -> None:
    assert definition.catcher("a/b.feature#two words") == Catcher("a/b.feature", "two words")
    assert definition.catcher("audit").path.startswith("features/audit/")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    package = tmp_path / "real" / "services" / "s" / "src" / "s"
    package.mkdir(parents=True)
    (package / "a.py").write_text("MOOD = 'awake'\n")
    (package / "b.py").write_text("")
    (tmp_path / "real" / "services" / "s" / "contract").mkdir()
    (tmp_path / "real" / "README.md").write_text("")
    return tmp_path / "real"


def test_only_the_copy_is_spoilt(repository: Path, tmp_path: Path) -> None:
    spoilt = overlay.of_mutant(MUTANT, repository, tmp_path / "made")

    assert "asleep" in (spoilt.tree / MUTANT.file).read_text()
    assert (repository / MUTANT.file).read_text() == "MOOD = 'awake'\n"


def test_what_a_package_finds_beside_itself_is_found_as_ever(
    repository: Path, tmp_path: Path
) -> None:
    spoilt = overlay.of_mutant(MUTANT, repository, tmp_path / "made")

    assert spoilt.python_path == (spoilt.tree / "services/s/src",)
    assert (spoilt.tree / "services/s/src/s/b.py").is_file()
    assert (spoilt.tree / "services/s/contract").resolve() == repository / "services/s/contract"
    assert (spoilt.tree / "README.md").is_symlink()


def test_whoever_loads_the_copy_is_known(repository: Path, tmp_path: Path) -> None:
    spoilt = overlay.of_mutant(MUTANT, repository, tmp_path / "made")
    unread = spoilt.loaded_by()

    source = (spoilt.tree / MUTANT.file).read_text()
    exec(compile(source, MUTANT.file, "exec"), {})  # noqa: S102  As an import does.

    assert unread == {MUTANT.file: []}
    assert len(spoilt.loaded_by()[MUTANT.file]) == 1


def test_a_program_that_is_killed_while_it_runs_has_loaded_its_copy(
    repository: Path, tmp_path: Path
) -> None:
    program = "MOOD = 'awake'\n\n\nif __name__ == \"__main__\":\n    raise SystemExit\n"
    (repository / MUTANT.file).write_text(program)
    spoilt = overlay.of_mutant(MUTANT, repository, tmp_path / "made")

    source = (spoilt.tree / MUTANT.file).read_text()
    with pytest.raises(SystemExit):
        exec(compile(source, MUTANT.file, "exec"), {"__name__": "__main__"})  # noqa: S102  Its own.

    assert len(spoilt.loaded_by()[MUTANT.file]) == 1


def test_a_mutant_that_a_sound_check_saw_is_caught() -> None:
    assert judged(trial(seen("failed"))) is Verdict.CAUGHT


def test_a_mutant_that_all_looked_at_and_nobody_saw_survives() -> None:
    assert judged(trial(seen("passed"))) is Verdict.SURVIVED


@pytest.mark.parametrize(
    "found",
    [
        trial(seen("failed"), loaded=False),
        trial(seen("passed"), loaded=False),
        trial(seen("broke")),
        trial(seen("passed"), seen("broke", "A night")),
        trial(seen("passed"), cut_short=True),
        trial(),
    ],
    ids=["not loaded", "not loaded, unseen", "crash", "some crashed", "no time", "nothing ran"],
)
def test_what_proves_nothing_is_inconclusive(found: Trial) -> None:
    assert judged(found) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("without_it", ["failed", "broke", "skipped"])
def test_a_check_that_is_not_green_without_the_mutant_catches_nobody(without_it: str) -> None:
    assert judged(trial(seen("failed")), control=without_it) is Verdict.INCONCLUSIVE


def test_a_check_that_the_control_has_not_run_catches_nobody() -> None:
    assert judged(trial(seen("failed", "A new day"))) is Verdict.INCONCLUSIVE


def test_a_control_that_is_not_green_says_which() -> None:
    results = Results()

    red = results.take_control(trial(seen("passed"), seen("broke", "A night")), of_all=True)

    assert red == ["features/x/day.feature: A night"]
    assert results.control_date


def test_a_control_of_some_is_not_told_as_one_of_all() -> None:
    results = Results(control_date="2026-01-01")

    results.take_control(trial(seen("passed")), of_all=False)

    assert results.control_date == "2026-01-01"


@pytest.mark.parametrize("option", [[], ["--write"]], ids=["tried", "kept"])
def test_only_who_says_so_changes_what_is_kept(
    option: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("mutants", "docs"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(stack, "repository", lambda: tmp_path)
    monkeypatch.setattr(definition, "read_all", lambda _: [MUTANT])
    monkeypatch.setattr(trials, "try_mutant", lambda *_, **__: trial(seen("failed")))
    monkeypatch.setattr(sys, "argv", ["mutants", "--skip-control", "nap", *option])

    command.main()

    assert (tmp_path / FILE).exists() is bool(option)


def test_results_are_kept_from_run_to_run(tmp_path: Path) -> None:
    results = Results(control={"features/x/day.feature: A day": "passed"})
    results.take(MUTANT, trial(seen("failed")), "abc")

    results.write(tmp_path / "results.json")

    assert Results.read(tmp_path / "results.json") == results


def test_who_looks_alone_does_not_undo_what_others_saw() -> None:
    results = Results(control={"features/x/day.feature: A day": "passed"})
    results.take(MUTANT, trial(seen("failed")), "abc")

    results.take(MUTANT, trial(), "abc", part="services/")

    assert results.judge(MUTANT.name).verdict is Verdict.CAUGHT


def test_the_page_counts_who_saw_it() -> None:
    results = Results(control={"features/x/day.feature: A day": "passed"})
    results.take(MUTANT, trial(seen("failed")), "abc")

    written = page.render([MUTANT], results)

    assert "| nap | 1 | caught |" in written
    assert "1 mutants: **1 caught**" in written


HELD: dict[str, Any] = {
    "is_judged": True,
    "unrest": {"orders": 0},
    "invariants": {"money_matches": [], "legal_history": []},
}
BROKEN = HELD | {
    "first_wrong": {"basket": 12, "at_s": 3.4},
    "invariants": {"money_matches": [{"what": "too much", "about": "pay_1"}], "legal_history": []},
}


def simulated(result: dict[str, Any] | None, folder: Path) -> list[dict[str, Any]]:
    if result:
        (folder / "report").mkdir()
        (folder / "report" / "result.json").write_text(json.dumps(result))
    return simulation.outcomes(folder)


def test_each_invariant_of_the_simulator_is_a_check(tmp_path: Path) -> None:
    found = {o["check"]: o for o in simulated(BROKEN, tmp_path)}

    assert {name: o["ended"] for name, o in found.items()} == {
        "money_matches": "failed", "legal_history": "passed", simulation.SETTLED: "passed",
    }  # fmt: skip
    assert found["money_matches"]["why"] == "too much: pay_1"
    assert found["money_matches"]["step"] == "basket 12, 3.4 s"


def test_what_never_settles_is_seen(tmp_path: Path) -> None:
    found = simulated(HELD | {"unrest": {"orders": 3}}, tmp_path)

    assert [(o["ended"], o["why"]) for o in found if o["check"] == simulation.SETTLED] == [
        ("failed", "3 orders")
    ]


@pytest.mark.parametrize("result", [BROKEN | {"is_judged": False}, None])
def test_a_run_that_judged_nothing_caught_nobody(
    result: dict[str, Any] | None, tmp_path: Path
) -> None:
    assert all(outcome["ended"] == "broke" for outcome in simulated(result, tmp_path))


def test_the_page_says_what_the_simulator_sees_alone(tmp_path: Path) -> None:
    control = {f"simulator: {name}": "passed" for name in ("money_matches", "legal_history")}
    results = Results(control=control)
    blind = replace(MUTANT, name="yawn")
    results.take(MUTANT, trial(*simulated(BROKEN, tmp_path)), "abc")
    results.take(blind, trial(seen("passed") | {"path": SIMULATOR, "check": "legal_history"}), "a")

    written = page.render([MUTANT, blind], results)

    assert "asked about 2 of them, and saw **1**" in written
    assert "| nap | money_matches | basket 12, 3.4 s |" in written
    assert "| yawn | · |  |" in written


def test_the_page_is_of_the_results_that_are_kept() -> None:
    kept = Results.read(ROOT / "mutants" / "results.json")

    written = (ROOT / "docs" / "mutants.md").read_text(encoding="utf-8")

    assert written == page.render(MUTANTS, kept)


def test_every_mutant_that_was_tried_was_caught() -> None:
    kept = Results.read(ROOT / "mutants" / "results.json")

    verdicts = {name: kept.judge(name).verdict for name in kept.mutants}

    assert len(verdicts) >= MUTANTS_MIN
    assert set(verdicts.values()) == {Verdict.CAUGHT}, verdicts


def test_every_check_that_was_asked_was_green_without_any_mutant() -> None:
    kept = Results.read(ROOT / "mutants" / "results.json")

    assert set(kept.control.values()) == {"passed"}
    assert kept.mutants.keys() <= {mutant.name for mutant in MUTANTS}
