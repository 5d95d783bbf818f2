"""One shop for a whole run of pytest, also when several of its processes share it (`-n 2`).

The controller starts it and tells its workers where it is. A test marked `exclusive` has the shop
for itself, its fixtures included; all others share it, but for those marked `elsewhere`.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from harness import stack
from harness.endpoints import Endpoints
from harness.providers.choice import Choice, UnknownProvider, choose
from harness.turns import Turns

# What a worker is told by its controller.
ENDPOINTS, FOLDER = "shop_endpoints", "shop_folder"


def choice(config: pytest.Config) -> Choice:
    """What the shop of this run stands on."""
    try:
        return choose(config.getoption("--provider"), stack.repository())
    except UnknownProvider as error:
        raise pytest.UsageError(f"--provider: {error}") from error


class OneShop:
    """A plugin. Starts the shop when somebody first asks for it, and ends it with the run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._told: dict[str, Any] = getattr(config, "workerinput", {})
        self._held = ExitStack()
        self._endpoints: Endpoints | None = None
        if FOLDER in self._told:
            self._folder = Path(self._told[FOLDER])
        else:
            made = self._held.enter_context(tempfile.TemporaryDirectory(prefix="cartwright-shop-"))
            self._folder = Path(made)
            self._folder.chmod(0o711)  # PostgreSQL, which refuses to be root, passes through.
        self._turns = Turns(self._folder)

    def endpoints(self) -> Endpoints:
        if ENDPOINTS in self._told:
            return Endpoints.from_json(self._told[ENDPOINTS])
        if self._endpoints is None:
            home = self._folder / "home"
            self._endpoints = self._held.enter_context(
                stack.running(
                    home,
                    provider=choice(self._config).name,
                    environment=stack.provable(home),
                )
            )
        return self._endpoints

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Called by xdist in the controller for each worker, before it starts."""
        node.workerinput |= {ENDPOINTS: self.endpoints().to_json(), FOLDER: str(self._folder)}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if item.get_closest_marker("elsewhere") is not None:
            return (yield)
        is_alone = item.get_closest_marker("exclusive") is not None
        with self._turns.alone() if is_alone else self._turns.together():
            return (yield)

    def pytest_unconfigure(self) -> None:
        self._held.close()
