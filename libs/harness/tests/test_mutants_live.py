"""A few mutants for real, each in the time of a test; `make mutants` plants all of them."""

import pytest
from harness import stack
from harness.suite.mutants import definition, simulation, trials
from harness.suite.mutants.definition import SIMULATOR, Mutant
from harness.suite.mutants.results import FILE, Results, Verdict

ROOT = stack.repository()
ALL = {mutant.name: mutant for mutant in definition.read_all(ROOT)}
WITHOUT_A_SHOP, IN_A_SHOP = "old-webhook-accepted", "cart-not-emptied"
CALM = ("--weather", "calm")


def verdict_on(mutant: Mutant) -> Verdict:
    results = Results.read(ROOT / FILE)
    return results.take(mutant, trials.try_mutant(mutant, ROOT), "now").verdict


def test_a_planted_bug_is_caught_by_a_test() -> None:
    assert verdict_on(ALL[WITHOUT_A_SHOP]) is Verdict.CAUGHT


def test_a_planted_bug_is_caught_by_the_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "BASKETS", 6)
    stormy = simulation.command
    monkeypatch.setattr(simulation, "command", lambda folder: [*stormy(folder), *CALM])

    assert verdict_on(*definition.looked_at_by([ALL[IN_A_SHOP]], SIMULATOR)) is Verdict.CAUGHT


def test_a_bug_that_nobody_loads_is_never_said_to_survive() -> None:
    elsewhere = ALL["revoked-session-still-opens"].catchers
    planted = ALL[WITHOUT_A_SHOP]
    unseen = Mutant(
        *("unseen", planted.service, planted.wrong, planted.file, planted.old, planted.new),
        catchers=elsewhere,
    )

    assert verdict_on(unseen) is Verdict.INCONCLUSIVE
