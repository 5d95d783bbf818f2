"""One shop for the session, one stage for its scenarios, and a failure report with the trace."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import stack
from harness.endpoints import Endpoints
from harness.stage import Stage
from harness.tracing import trace_to
from steps.challenge import *
from steps.flow import *
from steps.identity import *
from steps.money import *
from steps.order import *
from steps.returns import *
from steps.stock import *
from steps.token_modes import *

# Longer than anything a scenario does by itself: a shop that hangs fails, it does not stall CI.
STOP_AFTER_S = 5.0


@pytest.fixture(scope="session")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    home: Path = tmp_path_factory.mktemp("shop")
    with stack.running(home) as running:
        yield running


@pytest.fixture(scope="session")
def stage(endpoints: Endpoints) -> Iterator[Stage]:
    trace_to(endpoints.otlp_url, service_name="shopper")
    with Stage(endpoints) as stage:
        yield stage


def pytest_bdd_step_error(request: pytest.FixtureRequest, step: Any, scenario: Any) -> None:
    """Say where to look: the checkout's trace."""
    if "checkout" in request.fixturenames:
        checkout = request.getfixturevalue("checkout")
        url = request.getfixturevalue("endpoints").trace_query_url
        print(f"\n{scenario.name} / {step.name}: {url}/trace/{checkout.trace_id}")  # noqa: T201
