"""A shop of its own, with proxies before what it stands on; one at a time plants faults in it."""

from collections.abc import Iterator

import pytest
from harness.faults.planter import Faults
from harness.process.endpoints import Endpoints
from own_shop import *
from own_shop import own_shop
from steps.deaths import *
from steps.faults import *
from steps.flow import *
from steps.letters import *

# Who waits is reminded after 3 s instead of 30, so that what was lost is soon missed.
HURRY = {"SAGA_TIME_SCALE": "10"}


@pytest.fixture(scope="session")
def endpoints(request: pytest.FixtureRequest) -> Iterator[Endpoints]:
    with own_shop(request.config, "faults", HURRY, faults=True) as shop:
        yield shop


@pytest.fixture
def faults(endpoints: Endpoints) -> Iterator[Faults]:
    with Faults(endpoints) as faults:
        yield faults
