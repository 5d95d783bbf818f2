"""One shop for the session, what its scenarios need of it, and a failure report with the trace."""

# ruff: noqa: E402  Steps have to be announced before they are imported.

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Else a failing step says AssertionError and not which values disagree.
pytest.register_assert_rewrite("steps", "security", "audit")

from harness.process.endpoints import Endpoints
from harness.shopper.scenario_shop import ScenarioShop
from harness.suite.not_run import NotRun
from harness.suite.report import plugin as report
from harness.suite.undefined_steps import UndefinedSteps, scenario_of
from harness.traces.export import trace_to
from one_shop import OneShop, choice
from steps.accounts import *
from steps.cart import *
from steps.challenge import *
from steps.counting import *
from steps.flow import *
from steps.identity import *
from steps.limits import *
from steps.mails import *
from steps.money import *
from steps.order import *
from steps.orders import *
from steps.refunds import *
from steps.returns import *
from steps.shopping import *
from steps.stock import *
from steps.token_modes import *

# Longer than anything a scenario does by itself: a shop that hangs fails, it does not stall CI.
STOP_AFTER_S = 5.0
SHOP = pytest.StashKey[OneShop]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--provider",
        default=None,
        metavar="NAME",
        help="what the shop stands on: embedded (default), containers, external or auto",
    )
    parser.addoption(
        "--shop",
        default=None,
        metavar="WHICH",
        help="one that runs: `running`, `compose`, or a file of its endpoints (docs/providers.md)",
    )
    parser.addoption(
        "--write-authorization",
        action="store_true",
        help="write docs/authorization.md as the shop answers now",
    )
    parser.addoption(
        "--write-flows",
        action="store_true",
        help="write features/flows/*.txt as the shop's flows are now",
    )
    report.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    if config.option.tbstyle == "auto":  # A step is five lines; the rest would be pytest's own.
        config.option.tbstyle = "short"
    config.stash[SHOP] = OneShop(config)
    config.pluginmanager.register(config.stash[SHOP])
    config.pluginmanager.register(NotRun())
    config.pluginmanager.register(UndefinedSteps(Path(__file__).parent))
    if config.getoption("--report"):
        config.pluginmanager.register(report.Report(config, str(choice(config))))


def pytest_bdd_apply_tag(tag: str, function: Callable[..., object]) -> bool:
    """A feature's tag names the shop its scenarios share: in one process, it starts once."""
    pytest.mark.xdist_group(tag)(function)
    return True


@pytest.hookimpl(tryfirst=True)  # Before `-k` chooses.
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`-k` knows a scenario by its file too, not only by its title."""
    for item in items:
        if scenario := scenario_of(item):
            item.extra_keyword_matches.add(scenario.feature.rel_filename)


def pytest_report_header(config: pytest.Config) -> str:
    return str(choice(config))


@pytest.fixture(scope="session")
def endpoints(request: pytest.FixtureRequest) -> Endpoints:
    return request.config.stash[SHOP].endpoints()


@pytest.fixture(scope="session")
def shop(endpoints: Endpoints) -> Iterator[ScenarioShop]:
    trace_to(endpoints.otlp_url, "shopper", endpoints.span_ledger_dir)
    with ScenarioShop(endpoints) as shop:
        yield shop


def pytest_bdd_step_error(request: pytest.FixtureRequest, step: Any, scenario: Any) -> None:
    """Say where to look: the checkout's trace, also when its shop is gone."""
    if "checkout" in request.fixturenames:
        trace_id = request.getfixturevalue("checkout").trace_id
        print(f"\n{scenario.name} / {step.name}: cartwright trace {trace_id}")  # noqa: T201
