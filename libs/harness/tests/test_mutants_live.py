"""A few mutants for real, each in the time of a test; `make mutants` plants all of them."""

import pytest
from harness import stack
from harness.suite.mutants import definition, trials
from harness.suite.mutants.definition import Mutant
from harness.suite.mutants.results import FILE, Results, Verdict

ROOT = stack.repository()
ALL = {mutant.name: mutant for mutant in definition.read_all(ROOT)}
WITHOUT_A_SHOP, IN_A_SHOP = "old-webhook-accepted", "cart-not-emptied"


def verdict_on(mutant: Mutant) -> Verdict:
    results = Results.read(ROOT / FILE)
    return results.take(mutant, trials.try_mutant(mutant, ROOT), "now").verdict


@pytest.mark.parametrize("name", [WITHOUT_A_SHOP, IN_A_SHOP])
def test_a_planted_bug_is_caught(name: str) -> None:
    assert verdict_on(ALL[name]) is Verdict.CAUGHT


def test_a_bug_that_nobody_loads_is_never_said_to_survive() -> None:
    elsewhere = ALL["revoked-session-still-opens"].catchers
    planted = ALL[WITHOUT_A_SHOP]
    unseen = Mutant(
        *("unseen", planted.service, planted.wrong, planted.file, planted.old, planted.new),
        catchers=elsewhere,
    )

    assert verdict_on(unseen) is Verdict.INCONCLUSIVE
