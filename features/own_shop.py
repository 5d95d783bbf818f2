"""For a folder whose tests need a shop of their own, and send their spans there.

Its conftest imports these, and says in a fixture `endpoints` what that shop is like.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import pytest
from harness.process.endpoints import Endpoints
from harness.providers.choice import Capability
from harness.shopper.scenario_shop import ScenarioShop
from harness.traces.export import Destination, aimed_at
from one_shop import need, new_shop


@contextmanager
def own_shop(
    config: pytest.Config,
    name: str,
    environment: Mapping[str, str] = MappingProxyType({}),
    *,
    faults: bool = False,
) -> Iterator[Endpoints]:
    """name: of what needs it, in the plural. environment: of its services, beside the usual."""
    need(config, Capability.OWN_SHOPS)
    with new_shop(config, name, environment, faults=faults) as shop:
        yield shop


@pytest.fixture(scope="session")
def destination(endpoints: Endpoints) -> Destination:
    return Destination(endpoints.otlp_url, "shopper", endpoints.span_ledger_dir)


@pytest.fixture(scope="module", autouse=True)
def our_spans_go_to_this_shop(destination: Destination) -> Iterator[None]:
    with aimed_at(destination):
        yield


@pytest.fixture(scope="session")
def shop(endpoints: Endpoints) -> Iterator[ScenarioShop]:
    with ScenarioShop(endpoints) as shop:
        yield shop
