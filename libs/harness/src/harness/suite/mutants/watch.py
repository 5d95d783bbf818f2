"""A plugin of pytest: runs the checks that are asked for, and writes down how each ended, and why.

`-p harness.suite.mutants.watch --outcomes FILE --catcher PATH[#WORDS] …`. One JSON object a
line, so that a run that is cut short has told what it knew.
"""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from psycopg2.errors import DeadlockDetected

from harness.audit.checkers import CHECKERS
from harness.shopper.client import ShopRefused
from harness.suite.mutants.definition import Catcher, catcher
from harness.suite.undefined_steps import scenario_of

# What a check raises when it has looked and seen something wrong. Anything else is a check that
# could not look, and catches nobody.
JUDGEMENTS = (AssertionError, ShopRefused, pytest.fail.Exception)
WHY_CHARS_MAX = 240
_STEP = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--outcomes", required=True, metavar="FILE")
    parser.addoption("--catcher", action="append", default=[], metavar="PATH[#WORDS]")


def path_of(item: pytest.Item) -> str:
    """Where the check is written: its feature, or its test file, from the repository's root."""
    scenario = scenario_of(item)
    path = Path(scenario.feature.filename) if scenario else item.path
    return path.resolve().relative_to(item.config.rootpath.resolve()).as_posix()


def name_of(item: pytest.Item) -> str:
    """As people say it: the scenario with its example, or the test's name with its parameters."""
    scenario = scenario_of(item)
    if not scenario:
        return item.name
    example = item.name.partition("[")[2].rstrip("]")
    return f"{scenario.name} [{example}]" if example else scenario.name


def asked_by(item: pytest.Item, catchers: list[Catcher]) -> Catcher | None:
    path, name = path_of(item), name_of(item)
    return next((c for c in catchers if c.path == path and c.words in name), None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    catchers = [catcher(text) for text in config.getoption("--catcher")]
    dropped = [item for item in items if catchers and not asked_by(item, catchers)]
    items[:] = [item for item in items if item not in dropped]
    config.hook.pytest_deselected(items=dropped)


def pytest_bdd_before_step(request: pytest.FixtureRequest, step: Any) -> None:
    request.node.stash[_STEP] = f"{step.type.capitalize()} {step.name}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" or not report.passed:
        _write(item.config, _outcome(item, call, report))
    return report


def _outcome(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> dict[str, Any]:
    error = call.excinfo.value if call.excinfo else None
    judged = report.when == "call" and _has_seen(error)
    ended = report.outcome if report.outcome != "failed" or judged else "broke"
    found = report.longreprtext if ended == "failed" else ""
    return {
        "path": path_of(item),
        "check": name_of(item),
        "ended": ended,
        "step": item.stash.get(_STEP, "") if error else "",
        "checkers": [c.name for c in CHECKERS if f"{c.name}: " in found],
        "why": _words(error) if error and ended != "skipped" else "",
        "seconds": round(report.duration, 2),
    }


def _has_seen(error: BaseException | None) -> bool:
    """A deadlock is what a test of many at once looks for, and PostgreSQL the one who tells."""
    return isinstance(error, JUDGEMENTS) or isinstance(
        getattr(error, "__cause__", None), DeadlockDetected
    )


def _words(error: BaseException) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"[:WHY_CHARS_MAX]


def _write(config: pytest.Config, outcome: dict[str, Any]) -> None:
    with Path(config.getoption("--outcomes")).open("a") as file:
        file.write(json.dumps(outcome) + "\n")
