"""Keeps one container for as long as this process lives: `python -m harness.providers.container`.

To the supervisor a container is a process like any other: it writes to a log, ends when its
container ends, and is started again. What to run stands in the environment, as JSON of a
`ContainerSpec`: a command line, with its passwords, could be read by everybody.

A keeper that is killed leaves its container behind; the next one of that name removes it first.
So does `remove_all`, for those whose whole supervisor was killed.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from harness.process import parent_death
from harness.process.ports import HOST

if TYPE_CHECKING:
    from docker import DockerClient  # type: ignore[import-untyped]  # It ships no types.
    from testcontainers.core.container import DockerContainer

SPEC_VARIABLE = "CONTAINER_SPEC"
# Whose a container is: the folder of its stack.
HOME_LABEL = "org.cartwright.home"
# Read by testcontainers on import. Its reaper would be one more image, and we remove our own.
NO_REAPER = {"TESTCONTAINERS_RYUK_DISABLED": "true"}
# Where an engine may be found, and with what rights: the only settings of the developer's it gets.
ENGINE_VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH",
                    "DOCKER_TLS_VERIFY", "XDG_RUNTIME_DIR")  # fmt: skip


@dataclass(frozen=True)
class ContainerSpec:
    """ports: in the container -> on this machine. volumes: name -> path in the container.

    home: the folder of the stack that it belongs to.
    """

    image: str
    name: str
    home: str
    ports: Mapping[int, int]
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] = ()

    def to_environment(self) -> dict[str, str]:
        """Of the process that is to keep it."""
        found = {name: os.environ[name] for name in ENGINE_VARIABLES if name in os.environ}
        return {SPEC_VARIABLE: json.dumps(asdict(self))} | NO_REAPER | found

    @classmethod
    def from_environment(cls) -> "ContainerSpec":
        document: dict[str, Any] = json.loads(os.environ[SPEC_VARIABLE])
        ports = {int(inside): outside for inside, outside in document.pop("ports").items()}
        return cls(ports=ports, **document)


def keep(spec: ContainerSpec) -> int:
    """Run the container until it ends; returns its exit code. Its output becomes ours."""
    container = _described(spec)
    engine = container.get_docker_client().client
    _remove(engine, {"name": f"^/?{spec.name}$"})
    try:
        container.start()
        running = container.get_wrapped_container()
        for chunk in running.logs(stream=True, follow=True):
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
        return int(running.wait()["StatusCode"])
    finally:
        _remove(engine, {"name": f"^/?{spec.name}$"})


def remove_all(home: str) -> list[str]:
    """Remove the containers and volumes of the stack in *home*; returns the containers' names.

    Raises `docker.errors.DockerException` if there is no engine.
    """
    import docker

    engine = docker.from_env()
    owned = {"label": f"{HOME_LABEL}={home}"}
    names = _remove(engine, owned)
    for volume in engine.volumes.list(filters=owned):
        volume.remove(force=True)
    return names


def _described(spec: ContainerSpec) -> "DockerContainer":
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(spec.image).with_name(spec.name).with_envs(**spec.environment)
    for inside, outside in spec.ports.items():
        # As docker-py writes an address; `with_bind_ports` takes none, and would bind them all.
        container.ports[str(inside)] = (HOST, outside)  # type: ignore[assignment]
    labels = {HOME_LABEL: spec.home}
    engine = container.get_docker_client().client
    for volume, path in spec.volumes.items():
        engine.volumes.create(volume, labels=labels)
        container.with_volume_mapping(volume, path, mode="rw")
    if spec.command:
        container.with_command(list(spec.command))
    return container.with_kwargs(labels=labels)


def _remove(engine: "DockerClient", filters: Mapping[str, str]) -> list[str]:
    found = engine.containers.list(all=True, filters=filters, ignore_removed=True)
    for container in found:
        container.remove(force=True)
    return [str(container.name) for container in found]


def _end(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def main() -> int:
    spec = ContainerSpec.from_environment()
    parent_death.name_this_process(spec.name.rpartition("-")[2])
    signal.signal(signal.SIGTERM, _end)
    return keep(spec)


if __name__ == "__main__":
    sys.exit(main())
