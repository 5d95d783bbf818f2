from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from harness.audit.books import Books, Checkout
from harness.audit.checkers import CHECKERS, Finding, Violation
from harness.audit.checkers.violation import grouped
from simulators.checkout.mix import Persona, Visit
from simulators.checkout.results import (
    Result,
    apart,
    installed,
    others,
    outcome_of,
    outcomes,
    outcomes_by_persona,
)
from simulators.checkout.times import confirming_times, percentiles
from simulators.journey.domain import Basket


def checkout(outcome: str, reason: str | None = None, order_id: str | None = "o-1") -> Checkout:
    return Checkout("b", "h", "k", {}, "t", 0.0, outcome, order_id, reason)


def test_percentiles_are_exact_nearest_ranks() -> None:
    hundred = percentiles([float(n) for n in range(100, 0, -1)])

    assert (hundred.p50, hundred.p95, hundred.p99, hundred.max) == (50, 95, 99, 100)
    assert percentiles([7.0]).p95 == 7.0
    assert percentiles([]).p50 is None


@pytest.mark.parametrize(
    ("outcome", "reason", "said"),
    [("confirmed", None, "confirmed"), ("cancelled", "out_of_stock", "cancelled: out_of_stock")],
)
def test_an_outcome_is_said_with_its_reason(outcome: str, reason: str | None, said: str) -> None:
    assert outcome_of(checkout(outcome, reason)) == said


def test_outcomes_are_counted_most_frequent_first() -> None:
    counts = outcomes([checkout("unknown"), checkout("confirmed"), checkout("confirmed")])

    assert list(counts.items()) == [("confirmed", 2), ("unknown", 1)]


def test_what_came_back_shows_with_the_persona_and_so_does_that_nothing_did() -> None:
    household = Basket("b", "h", datetime(2017, 1, 1, tzinfo=UTC), ())
    visits = [Visit(household, Persona.RETURNER, "pm_ok", 0.0)]

    told = outcomes_by_persona([checkout("confirmed")], visits, {"o-1"})
    nothing = outcomes_by_persona([checkout("confirmed")], visits, ())

    assert (told, nothing) == ({"returner": {"returned": 1}}, {"returner": {"confirmed": 1}})


def test_confirming_counts_from_the_first_pending_to_confirmed() -> None:
    books = Books(
        order_history={
            "o-1": [
                {"status": "pending", "at": 1.0},
                {"status": "pending", "at": 1.1},
                {"status": "confirmed", "at": 1.25},
                {"status": "confirmed", "at": 9.0},
            ],
            "o-2": [{"status": "pending", "at": 1.0}],
        }
    )

    times = confirming_times(books, [checkout("confirmed"), checkout("unknown", order_id="o-2")])

    assert times == {"o-1": pytest.approx(250.0)}


MIXED = Books(
    orders={
        "o-old": {"placed_at": 1.0, "key": "k-old"},
        "o-1": {"placed_at": 5.0, "key": "k"},
        "o-theirs": {"placed_at": 6.0, "key": "k-theirs"},
        "o-keyless": {"placed_at": 6.0, "key": None},
    }
)


def test_orders_of_others_are_counted_and_an_order_nobody_asked_for_is_no_other() -> None:
    assert others(MIXED, [checkout("confirmed")], since=5.0) == 1


def test_what_was_wrong_before_the_run_is_set_apart() -> None:
    old, ours, of_no_order = Violation("a", "o-old"), Violation("b", "o-1"), Violation("c")
    told_before, told_now = Violation("d", at=4.9), Violation("d", at=5.1)
    all_of_them = (old, ours, of_no_order, told_before, told_now)

    books = replace(MIXED, checkouts=[checkout("confirmed")])

    found, earlier = apart([Finding(CHECKERS[0], all_of_them)], books, since=5.0)

    assert [finding.violations for finding in found] == [(ours, of_no_order, told_now)]
    assert earlier == [old, told_before]


def test_what_is_wrong_with_our_own_is_ours_though_the_shops_clock_is_behind() -> None:
    ours = Violation("a", "o-1", at=5.0)
    lost = Violation("b", "o-lost", at=5.0)
    told_so = [checkout("confirmed"), replace(checkout("unknown"), order_id="o-lost")]
    books = replace(MIXED, checkouts=told_so)

    found, earlier = apart([Finding(CHECKERS[0], (ours, lost))], books, since=60.0)

    assert [finding.violations for finding in found] == [(ours, lost)]
    assert earlier == []


def test_equal_violations_are_grouped_the_most_frequent_first() -> None:
    rare, often = Violation("rare", "o-1"), Violation("often", "o-2")

    groups = grouped([rare, often, Violation("often", "o-3")])

    assert [(group.what, len(group.violations)) for group in groups] == [("often", 2), ("rare", 1)]
    assert groups[0].first == often


def test_the_first_wrong_checkout_is_told_by_its_basket(run_of: Callable[..., Result]) -> None:
    first = replace(checkout("cancelled"), basket_id="b-1")
    again = replace(first, trace_id="t-2", started_at=1.0)
    wrong = replace(again, basket_id="b-2", order_id="o-2", trace_id="t-3", started_at=2.0)
    findings = [Finding(CHECKERS[0], (Violation("w", "o-2"),))]

    run = run_of(checkouts=[wrong, again, first], findings=findings)

    assert run.first_wrong == (2, wrong)


def test_versions_are_told_of_what_is_installed_where_it_runs() -> None:
    """The image of the command has no SQLAlchemy."""
    assert installed(["pytest", "no-such-package"]) == {"pytest": pytest.__version__}
