"""One shop for a whole run of pytest, also when several of its processes share it (`-n 2`).

The controller starts it and tells its workers where it is.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness import stack
from harness.process.endpoints import Endpoints
from harness.process.failure import CannotStart
from harness.providers.choice import Capability, Choice, ProviderName, UnknownProvider, choose

# What a worker is told by its controller.
ENDPOINTS = "shop_endpoints"


def choice(config: pytest.Config) -> Choice:
    """What the shop of this run stands on."""
    try:
        return choose(
            config.getoption("--provider"), stack.repository(), shop=config.getoption("--shop")
        )
    except UnknownProvider as error:
        raise pytest.UsageError(f"--provider: {error}") from error


def need(config: pytest.Config, capability: Capability) -> None:
    """Skip who asks where it is missing; `not_run` tells of them at the end."""
    chosen = choice(config)
    if not chosen.has(capability):
        pytest.skip(f"{chosen.name} has no {capability}")


@contextmanager
def new_shop(
    config: pytest.Config, name: str, environment: Mapping[str, str], *, faults: bool
) -> Iterator[Endpoints]:
    """A shop on what this run stands on, or the one that was named.

    environment: of its services, beside the usual.
    """
    chosen = choice(config)
    if chosen.name is ProviderName.EXTERNAL:
        yield stack.external_shop(chosen.shop)
        return
    with tempfile.TemporaryDirectory(prefix=f"cartwright-{name}-") as made:
        folder = Path(made)
        folder.chmod(0o711)  # PostgreSQL, which refuses to be root, passes through.
        home = folder / "home"
        with stack.running(
            home,
            provider=chosen.name,
            environment=stack.provable(home) | environment,
            faults=faults,
        ) as shop:
            yield shop


class OneShop:
    """A plugin. Starts the shop when somebody first asks for it, and ends it with the run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._told: dict[str, Any] = getattr(config, "workerinput", {})
        self._held = ExitStack()
        self._endpoints: Endpoints | None = None

    def endpoints(self) -> Endpoints:
        if ENDPOINTS in self._told:
            return Endpoints.from_json(self._told[ENDPOINTS])
        if self._endpoints is None:
            shop = new_shop(self._config, "shop", {}, faults=False)
            try:
                self._endpoints = self._held.enter_context(shop)
            except CannotStart as error:
                pytest.exit("\n".join((*error.log, str(error))), pytest.ExitCode.USAGE_ERROR)
        return self._endpoints

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Called by xdist in the controller for each worker, before it starts."""
        node.workerinput[ENDPOINTS] = self.endpoints().to_json()

    def pytest_unconfigure(self) -> None:
        self._held.close()
