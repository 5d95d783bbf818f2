"""One customer with belongings, and one round of everybody asking, for all of these tests."""

from collections.abc import Iterator

import pytest
from harness.providers.choice import Capability
from harness.shopper.client import new_http_client
from harness.shopper.scenario_shop import ScenarioShop
from one_shop import need
from security import table
from security.cast import Cast
from security.operations import all_operations
from security.scene import Scene
from security.table import Row


@pytest.fixture(scope="session", autouse=True)
def ours(pytestconfig: pytest.Config) -> None:
    """A shop whose secrets lie in its home: what is asked as a service needs them."""
    need(pytestconfig, Capability.OWN_SHOPS)


@pytest.fixture(scope="session")
def lasting_scene(shop: ScenarioShop) -> Iterator[Scene]:
    with new_http_client() as http:
        yield Scene(shop, Cast(shop), http)


@pytest.fixture
def scene(lasting_scene: Scene) -> Scene:
    lasting_scene.cast.renew()
    return lasting_scene


@pytest.fixture(scope="session")
def rows(lasting_scene: Scene) -> dict[str, Row]:
    """By the operation's name."""
    return {
        operation.name: table.observe(lasting_scene, operation) for operation in all_operations()
    }
