"""A shop of its own, at rest: all its books are read, and nobody else may be writing in them."""

from collections.abc import Iterator

import pytest
from harness.process.endpoints import Endpoints
from own_shop import *
from own_shop import own_shop


@pytest.fixture(scope="session")
def endpoints(request: pytest.FixtureRequest) -> Iterator[Endpoints]:
    with own_shop(request.config, "audits") as shop:
        yield shop
