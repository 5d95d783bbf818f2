"""Sentences of scenarios: listed with an example, and named where nothing defines them."""

import subprocess
import sys
from pathlib import Path

import pytest
from harness.suite import steps

FEATURE = """Feature: A paid order is delivered
  Scenario: Ana buys two mugs
    Given the shop sells a mug
    And she has put 2 of "Mug" in

  Scenario: Ben buys a cup
    Given the shop sells a mgu
"""
STEPS = """
from pytest_bdd import given, parsers

@given("the shop sells a mug")
def _sells(): ...

@given(parsers.re(r'(?:she|he) has put (?P<count>[0-9]+) of "(?P<name>.+)" in'))
def _puts(): ...
"""
CONFTEST = """
from pathlib import Path
from harness.suite.undefined_steps import UndefinedSteps
from steps.order import *

def pytest_configure(config):
    config.pluginmanager.register(UndefinedSteps(Path(__file__).parent))
"""
TEST = """
from pytest_bdd import scenarios
scenarios("order.feature")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "steps").mkdir()
    files = {"order.feature": FEATURE, "conftest.py": CONFTEST, "test_order.py": TEST}
    for name, text in (files | {"steps/order.py": STEPS}).items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_sentence_is_listed_with_its_variables_and_an_example(folder: Path) -> None:
    lines = [line.plain for line in steps.listing(folder)]

    assert lines[2] == 'Given (she|he) has put <count> of "<name>" in'
    assert lines[3].strip() == ('e.g. she has put 2 of "Mug" in  (order.feature; steps/order.py:7)')


def test_words_choose_what_is_listed(folder: Path) -> None:
    assert [line.plain.strip()[:14] for line in steps.listing(folder, "SELLS")] == [
        "Given the shop",
        "e.g. the shop ",
    ]


def test_a_scenario_that_says_what_nothing_defines_fails_at_once_and_the_others_run(
    folder: Path,
) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_order.py"]

    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    assert "1 passed, 1 error" in ran.stdout
    told = "order.feature:7: no step is defined for Given 'the shop sells a mgu'; near it is"
    assert told in ran.stdout.partition("ERRORS")[0], "before anything ran"
    assert f"{told} 'the shop sells a mug'" in ran.stdout.partition("ERRORS")[2]
