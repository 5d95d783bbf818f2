"""The shop on containers: PostgreSQL, Redis, LocalStack and Jaeger, as others run them."""

import gc
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from harness.process.failure import CannotStart
from harness.providers import container, images
from harness.providers.local import LocalProvider

if TYPE_CHECKING:
    from docker import DockerClient  # type: ignore[import-untyped]  # It ships no types.


class ContainersUnavailable(CannotStart):
    """No engine answers, or an image is missing and no registry has it; the message says which."""


class ContainersProvider(LocalProvider):
    """The infrastructure from images, services and simulators as processes of this machine.

    Starts empty each time: a container's data ends with its stack.
    """

    plan: ClassVar[str] = "harness.providers.containers_plan:bring_up"

    def prepare(self) -> dict[str, Any]:
        """Fetches the images that are not here yet. Raises `ContainersUnavailable`."""
        engine = find_engine()
        for image in missing(engine, images.load(self.repo_root).by_part().values()):
            _pull(engine, image)
        return {}

    def stop(self) -> None:
        """Also removes what keepers left that were killed; and the data, which is useless alone."""
        super().stop()
        find_engine()
        container.remove_all(str(self.home.path))


def find_engine() -> "DockerClient":
    """A container engine that answers. Raises `ContainersUnavailable`."""
    try:
        import docker
        import testcontainers  # noqa: F401  # What keepers need.
    except ImportError as error:
        raise ContainersUnavailable(
            f"the package {error.name} is not installed: `make containers` installs it"
        ) from None
    try:
        return docker.from_env()
    except docker.errors.DockerException as error:
        said = str(error)
    _collect_refused_socket()
    raise ContainersUnavailable(f"no container engine answers: {said}")


def _collect_refused_socket() -> None:
    """docker's client never closes the socket that was refused; now, and not as a warning later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def missing(engine: "DockerClient", wanted: Iterable[str]) -> list[str]:
    """Those of the images *wanted* that this machine does not have."""
    here = {tag for image in engine.images.list() for tag in image.tags}
    return [image for image in wanted if image not in here]


def _pull(engine: "DockerClient", image: str) -> None:
    from docker.errors import DockerException  # type: ignore[import-untyped]

    try:
        engine.images.pull(image)
    except DockerException as error:
        raise ContainersUnavailable(f"{image} is not here and cannot be pulled: {error}") from None
