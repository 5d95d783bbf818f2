"""A running stack for tests and simulators: found, or started and stopped again."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.process import control
from harness.process.endpoints import Endpoints
from harness.process.home import Home
from harness.providers import external
from harness.providers.base import Provider
from harness.providers.choice import ProviderName, local_provider
from harness.topology.summary import TOPOLOGY
from harness.traces.ledger_writer import DIRECTORY_VARIABLE

if TYPE_CHECKING:
    from harness.topology.model import Topology

# Folders that go before every path of the stacks started here, as a spoilt service does.
PYTHON_PATH_VARIABLE = "CARTWRIGHT_PYTHON_PATH"


def repository() -> Path:
    """The checkout this package was installed from, or the one around the working directory.

    Raises `FileNotFoundError` if there is none: the topology is read from it.
    """
    for start in (Path.cwd() / "here", Path(__file__)):
        for folder in start.parents:
            if (folder / TOPOLOGY).exists():
                return folder
    raise FileNotFoundError(f"{TOPOLOGY}: run this inside the repository")


def topology() -> "Topology":
    """What our shop is made of. Slow the first time: see `topology.summary`."""
    from harness.topology import model

    return model.load(repository() / TOPOLOGY)


def endpoints(home: Path) -> Endpoints | None:
    """Of the stack that runs in *home*; None if none does, or it is still starting."""
    state = Home(home).read_state()
    if not state or state["status"] != "running":
        return None
    if control.same_process(state["supervisor"]) is None:
        return None
    return Endpoints.from_json(state["endpoints"])


def provable(home: Path) -> dict[str, str]:
    """What to give `running` as environment, so that flows can be proven whole (ADR-0019)."""
    # A flow is judged when its last span is stored: exporters that dawdle are most of the wait.
    return {DIRECTORY_VARIABLE: str(home / "spans"), "OTEL_BSP_SCHEDULE_DELAY": "100"}


def external_shop(shop: str = "", home: Path | None = None) -> Endpoints:
    """One that somebody else runs: see `harness.providers.external`. Raises `NoEndpoints`.

    home: of the one that runs here; the usual one, if None.
    """
    root = repository()
    here = endpoints(home or Home.default(root).path)
    return external.endpoints(repo_root=root, here=here, shop=shop)


def _put_first() -> list[Path]:
    return [
        Path(folder) for folder in os.environ.get(PYTHON_PATH_VARIABLE, "").split(":") if folder
    ]


def left_running(
    home: Path,
    *,
    provider: str = ProviderName.EMBEDDED,
    repo_root: Path | None = None,
    python_path: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    faults: bool = False,
) -> Endpoints:
    """The stack of *home*, started if need be, and left up as `cartwright up` leaves it.

    environment, faults: see `running`. Raises what `running` raises.
    """
    found = endpoints(home)
    if found:
        return found
    ours = local_provider(provider)(
        Home(home.resolve()),
        repo_root or repository(),
        python_path=[*_put_first(), *python_path],
        environment=environment or {},
        faults=faults,
    )
    try:
        return ours.start()
    except KeyboardInterrupt:
        ours.stop()
        raise


@contextmanager
def running(
    home: Path,
    *,
    provider: str = ProviderName.EMBEDDED,
    services: Sequence[str] | None = None,
    repo_root: Path | None = None,
    ephemeral_ports: bool = True,
    python_path: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    faults: bool = False,
) -> Iterator[Endpoints]:
    """The stack of *home*, started if need be; stopped afterwards only if it was started here.

    A stack started here ends with this thread, however that ends. services: all, if None.
    environment: settings of every service, over those the stack gives them.
    faults: put proxies before what the shop stands on, see `harness.faults`.
    Raises `StackDidNotStart`, `UnknownProvider`, and what the provider does not find.
    """
    found = endpoints(home)
    if found:
        yield found
        return
    ours: Provider = local_provider(provider)(
        Home(home.resolve()),
        repo_root or repository(),
        ephemeral_ports=ephemeral_ports,
        python_path=[*_put_first(), *python_path],
        dies_with_us=True,
        environment=environment or {},
        faults=faults,
    )
    try:
        yield ours.start(services)
    finally:
        ours.stop()
