"""Every rule for scenarios catches the one that breaks it, and leaves good ones alone."""

from pathlib import Path

import pytest
from harness import stack
from harness.suite import scenario_index
from harness.suite.gherkin import read
from harness.suite.gherkin_lint import lint

GOOD = """Feature: A paid order is delivered
  What is paid for is taken from the shelf.

  Background:
    Given the shop sells a mug

  Scenario: Ana buys a mug
    When she orders with a good card
    Then her order is confirmed

  Scenario Outline: Ana buys <count> mugs
    When she orders <count> of it
    Then her order is confirmed

    Examples:
      | count |
      | 2     |
      | 3     |
"""
STEPS = """
@given("the shop sells a mug")
@when("she orders with a good card")
@when(parsers.re(r"she orders (?P<count>\\d+) of it"), converters={})
@then(parsers.re(r"(her|his) order is confirmed"))
def step() -> None: ...
"""


def rules(tmp_path: Path, feature: str, steps: str = STEPS) -> list[str]:
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "order.py").write_text(steps)
    (tmp_path / "order.feature").write_text(feature)
    return [finding.rule for finding in lint(tmp_path)]


def test_good_scenarios_are_left_alone(tmp_path: Path) -> None:
    assert rules(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("good", "bad", "rule"),
    [
        (
            "    Then her order is confirmed\n\n  Scenario Outline",
            "\n  Scenario Outline",
            "no Then",
        ),
        ("Ana buys <count> mugs", "Ana buys a mug", "is told in order.feature:7 already"),
        ("she orders with a good card", "the JSON says yes", "'JSON' is a word of those who build"),
        ("the shop sells a mug", "the queue is empty", "'queue' is a word of those who build"),
        ("  What is paid for is taken from the shelf.\n", "", "no description"),
        (
            "    Then her order is confirmed\n\n  Scenario Outline",
            (
                "    Then her order is confirmed\n    When she orders with a good card\n"
                "    Then her order is confirmed\n\n  Scenario Outline"
            ),
            "it is two scenarios",
        ),
        ("    Then her", "    And she orders with a good card\n" * 12 + "    Then her", "14 steps"),
        (
            "she orders with a good card",
            "she orders with a good cart",
            "no step is defined for When 'she orders with a good cart'",
        ),
        ("When she orders with", "Then she orders with", "no step is defined for Then"),
    ],
)
def test_a_bad_one_is_told_with_its_rule(tmp_path: Path, good: str, bad: str, rule: str) -> None:
    assert good in GOOD

    assert any(rule in found for found in rules(tmp_path, GOOD.replace(good, bad, 1)))


def test_a_step_that_nobody_takes_is_told(tmp_path: Path) -> None:
    unused = STEPS.replace("@given(", '@given("nobody says this")\n@given(', 1)

    assert rules(tmp_path, GOOD, unused) == ["no scenario says 'nobody says this'"]


def test_the_words_of_examples_stand_in_their_steps(tmp_path: Path) -> None:
    (tmp_path / "order.feature").write_text(GOOD)

    outline = read(tmp_path)[1]

    assert ("when", "she orders 3 of it") in [(step.kind, step.text) for step in outline.run()]
    assert scenario_index.tests_of(outline) == 2


def test_the_page_of_scenarios_is_of_these_features() -> None:
    root = stack.repository()

    assert (root / scenario_index.PAGE).read_text() == scenario_index.page(root / "features")
