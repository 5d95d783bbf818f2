"""The Compose file holds to the topology and shows nothing to other machines."""

from typing import Any

import pytest
import yaml
from harness import stack, topology

ROOT = stack.repository()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
INFRASTRUCTURE = topology.load(ROOT / "infra" / "topology.yaml").infrastructure
PUBLISHED = [
    (name, *port.split(":"))
    for name, service in COMPOSE["services"].items()
    for port in service.get("ports", [])
]


@pytest.mark.parametrize("service", COMPOSE["services"])
def test_every_image_is_pinned(service: str) -> None:
    image = COMPOSE["services"][service]["image"]

    assert ":" in image
    assert not image.endswith(":latest")


@pytest.mark.parametrize(("service", "host", "outside", "inside"), PUBLISHED)
def test_ports_are_those_of_the_topology_on_this_machine_only(
    service: str, host: str, outside: str, inside: str
) -> None:
    known = {str(infrastructure.port) for infrastructure in INFRASTRUCTURE.values()}

    assert host == "127.0.0.1"
    assert outside in known, service
    assert outside == inside


def test_the_queues_are_made_by_the_generated_script() -> None:
    (volume,) = COMPOSE["services"]["localstack"]["volumes"]
    script, target, mode = volume.split(":")

    assert (ROOT / script).exists()
    assert target.startswith("/etc/localstack/init/ready.d/")
    assert mode == "ro"
