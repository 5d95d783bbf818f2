"""A shop of its own, with proxies before what it stands on; one at a time plants faults in it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import stack
from harness.endpoints import Endpoints
from harness.faults.planting import Faults
from harness.proof import Proof
from harness.providers.choice import ProviderName
from harness.stage import Stage
from harness.tracing import Destination, aimed_at
from one_shop import choice
from steps.controls import Controls
from steps.faults import *
from steps.letters import *

# Who waits is reminded after 3 s instead of 30, so that what was lost is soon missed.
HURRY = {"SAGA_TIME_SCALE": "10"}


@pytest.fixture(scope="session")
def endpoints(request: pytest.FixtureRequest) -> Iterator[Endpoints]:
    provider = choice(request.config).name
    if provider == ProviderName.EXTERNAL:
        pytest.skip("faults are planted in a shop that was started for them, not in somebody's")
    with tempfile.TemporaryDirectory(prefix="cartwright-faults-") as made:
        folder = Path(made)
        folder.chmod(0o711)  # PostgreSQL, which refuses to be root, passes through.
        home = folder / "home"
        environment = stack.provable(home) | HURRY
        with stack.running(home, provider=provider, environment=environment, faults=True) as shop:
            yield shop


@pytest.fixture(scope="session")
def destination(endpoints: Endpoints) -> Destination:
    return Destination(endpoints.otlp_url, "shopper", endpoints.span_ledger_dir)


@pytest.fixture(autouse=True)
def our_spans_go_to_this_shop(destination: Destination) -> Iterator[None]:
    with aimed_at(destination):
        yield


@pytest.fixture(scope="session")
def stage(endpoints: Endpoints) -> Iterator[Stage]:
    with Stage(endpoints) as stage:
        yield stage


@pytest.fixture(scope="session")
def proof(stage: Stage) -> Iterator[Proof]:
    with Proof(stage) as proof:
        yield proof


@pytest.fixture(scope="session")
def controls(stage: Stage, proof: Proof) -> Controls:
    return Controls(stage, proof)


@pytest.fixture
def faults(endpoints: Endpoints) -> Iterator[Faults]:
    with Faults(endpoints) as faults:
        yield faults
