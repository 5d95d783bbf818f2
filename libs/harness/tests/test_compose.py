"""Compose and the images hold to the topology and the pins, and show nothing to other machines."""

import os
import re
import shlex
from typing import Any

import pytest
import yaml
from harness import stack
from harness.providers import images

ROOT = stack.repository()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
INFRASTRUCTURE = stack.topology().infrastructure
# Compose's service -> the ports it must publish, by their names in the topology.
EXPECTED_PORTS = {
    "postgres": {"postgres"},
    "redis": {"redis"},
    "localstack": {"aws"},
    "jaeger": {"traces", "otlp"},
}
DOCKERFILE = (ROOT / "services" / "Dockerfile").read_text()
# A tag that begins with its version.
PINNED = re.compile(r"[a-z0-9./-]+:\d[\w.-]*")


def instructions(name: str) -> list[str]:
    """The arguments of every instruction of that name, continued lines joined."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.split(maxsplit=1)[1] for line in joined.splitlines() if line.startswith(name)]


@pytest.mark.parametrize("service", SERVICES)
def test_every_image_is_pinned(service: str) -> None:
    assert PINNED.fullmatch(SERVICES[service]["image"])


def test_the_images_are_those_that_the_containers_provider_starts() -> None:
    pinned = images.load(ROOT).by_part()

    assert {name: service["image"] for name, service in SERVICES.items()} == pinned


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_those_of_the_topology_on_this_machine_only(service: str) -> None:
    expected = {INFRASTRUCTURE[name].port for name in EXPECTED_PORTS[service]}

    assert sorted(SERVICES[service]["ports"]) == sorted(
        f"127.0.0.1:{port}:{port}" for port in expected
    )


@pytest.mark.parametrize("service", sorted(set(SERVICES) - {"jaeger"}))
def test_whoever_waits_can_be_told_that_it_is_ready(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


def test_the_queues_are_made_by_the_generated_script() -> None:
    (volume,) = SERVICES["localstack"]["volumes"]
    script, target, mode = volume.split(":")

    assert os.access(ROOT / script, os.X_OK)  # LocalStack skips what it may not run.
    assert target.startswith("/etc/localstack/init/ready.d/")
    assert mode == "ro"


def test_images_are_built_from_a_pinned_python_with_the_uv_of_make() -> None:
    (uv,) = re.findall(r"uv==([\d.]+)", DOCKERFILE)

    assert {source.split()[0] for source in instructions("FROM")} == {"python:3.12-slim"}
    assert f"UV_VERSION := {uv}\n" in (ROOT / "Makefile").read_text()


def test_an_image_installs_one_service_from_the_lock_file() -> None:
    (sync,) = [run for run in instructions("RUN") if "uv sync" in run]

    assert {"--frozen", "--no-dev", "--package", "${SERVICE}-service"} <= set(shlex.split(sync))


def test_an_image_runs_as_nobody_special_and_without_a_shell_between() -> None:
    (user,) = instructions("USER")
    (command,) = instructions("CMD")

    assert int(user.split(":")[0]) > 0
    assert command.startswith("[")
