"""A running stack for tests and simulators: found, or started and stopped again."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness import processes
from harness.endpoints import Endpoints
from harness.home import Home
from harness.providers.base import Provider
from harness.providers.embedded import EmbeddedProvider


class UnknownProvider(ValueError):
    pass


def repository() -> Path:
    """The checkout this package was installed from, or the one around the working directory.

    Raises `FileNotFoundError` if there is none: the topology is read from it.
    """
    for start in (Path.cwd() / "here", Path(__file__)):
        for folder in start.parents:
            if (folder / "infra" / "topology.yaml").exists():
                return folder
    raise FileNotFoundError("infra/topology.yaml: run this inside the repository")


def endpoints(home: Path) -> Endpoints | None:
    """Of the stack that runs in *home*; None if none does, or it is still starting."""
    state = Home(home).read_state()
    if not state or state["status"] != "running":
        return None
    if processes.same_process(state["supervisor"]) is None:
        return None
    return Endpoints.from_json(state["endpoints"])


@contextmanager
def running(
    home: Path,
    *,
    provider: str = "embedded",
    services: Sequence[str] | None = None,
    repo_root: Path | None = None,
    ephemeral_ports: bool = True,
    python_path: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Endpoints]:
    """The stack of *home*, started if need be; stopped afterwards only if it was started here.

    A stack started here ends with this thread, however that ends. services: all, if None.
    environment: settings of every service, over those the stack gives them.
    Raises `StackDidNotStart`, `UnknownProvider`.
    """
    found = endpoints(home)
    if found:
        yield found
        return
    if provider != "embedded":
        raise UnknownProvider(f"{provider!r}: only 'embedded' is known")
    ours: Provider = EmbeddedProvider(
        Home(home.resolve()),
        repo_root or repository(),
        ephemeral_ports=ephemeral_ports,
        python_path=python_path,
        dies_with_us=True,
        environment=environment or {},
    )
    try:
        yield ours.start(services)
    finally:
        ours.stop()
