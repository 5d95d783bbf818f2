"""A container is kept as a process is: here with a real engine, where there is one."""

import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness import stack
from harness.eventually import eventually
from harness.process import ports
from harness.providers import container, containers, containers_specs, images
from harness.providers.container import ContainerSpec
from harness.providers.containers import ContainersUnavailable, find_engine

IMAGE = images.load(stack.repository()).redis
COMES_WITHIN_S = 30


@pytest.fixture(scope="module")
def engine() -> Any:
    try:
        found = find_engine()
    except ContainersUnavailable as error:
        pytest.skip(f"this test starts a container: {error}")
    if containers.missing(found, [IMAGE]):
        pytest.skip(f"this test starts a container: the engine has no image {IMAGE}")
    return found


@pytest.fixture
def spec(tmp_path: Path, engine: Any) -> Iterator[ContainerSpec]:
    port = ports.choose({"redis": 0}, {}, ephemeral=True)["redis"]
    yield ContainerSpec(
        IMAGE,
        f"cartwright-test-{os.getpid()}",
        str(tmp_path),
        {6379: port},
        volumes={f"cartwright-test-{os.getpid()}": "/data"},
        command=["redis-server", "--protected-mode", "no"],
    )
    container.remove_all(str(tmp_path))
    engine.close()


@contextmanager
def kept(spec: ContainerSpec) -> Iterator["subprocess.Popen[bytes]"]:
    keeper = subprocess.Popen(
        containers_specs.KEEPER, env=os.environ | spec.to_environment(), stdout=subprocess.DEVNULL
    )
    try:
        yield keeper
    finally:
        keeper.kill()
        keeper.wait()


def running(engine: Any, spec: ContainerSpec) -> list[str]:
    return [c.id for c in engine.containers.list(filters={"name": spec.name})]


def one_running(engine: Any, spec: ContainerSpec, *, other_than: str = "") -> str:
    def look() -> str | None:
        return next((i for i in running(engine, spec) if i != other_than), None)

    found = eventually(look, COMES_WITHIN_S, f"{spec.name} running")
    assert found is not None
    return found


def test_a_keeper_that_is_asked_to_end_takes_its_container_along(
    engine: Any, spec: ContainerSpec
) -> None:
    with kept(spec) as keeper:
        one_running(engine, spec)
        keeper.send_signal(signal.SIGTERM)
        keeper.wait(COMES_WITHIN_S)

    assert running(engine, spec) == []


def test_a_container_that_dies_ends_its_keeper(engine: Any, spec: ContainerSpec) -> None:
    with kept(spec) as keeper:
        engine.containers.get(one_running(engine, spec)).kill()

        assert keeper.wait(COMES_WITHIN_S) == 128 + signal.SIGKILL


def test_what_a_killed_keeper_leaves_is_replaced_by_the_next(
    engine: Any, spec: ContainerSpec
) -> None:
    with kept(spec) as keeper:
        first = one_running(engine, spec)
        keeper.kill()
    assert running(engine, spec) == [first]

    with kept(spec):
        second = one_running(engine, spec, other_than=first)

        assert running(engine, spec) == [second]


def test_everything_of_a_home_can_be_removed_and_nothing_of_another(
    engine: Any, spec: ContainerSpec
) -> None:
    with kept(spec) as keeper:
        one_running(engine, spec)
        keeper.kill()

    assert container.remove_all("/another/home") == []
    assert container.remove_all(spec.home) == [spec.name]

    assert running(engine, spec) == []
    assert engine.volumes.list(filters={"name": spec.name}) == []


def test_a_container_listens_on_this_machine_only(engine: Any, spec: ContainerSpec) -> None:
    with kept(spec):
        one = engine.containers.get(one_running(engine, spec))

        published = one.attrs["NetworkSettings"]["Ports"]["6379/tcp"]
        assert {binding["HostIp"] for binding in published} == {"127.0.0.1"}


def test_no_password_is_in_a_command_line() -> None:
    spec = ContainerSpec("i:1", "n", "/home", {}, {"POSTGRES_PASSWORD": "s3cret"})

    assert "s3cret" not in " ".join(containers_specs.KEEPER)
    assert "s3cret" in spec.to_environment()[container.SPEC_VARIABLE]


def test_without_an_engine_it_is_said_that_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docker", reason="`make containers` installs what talks to an engine")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")

    with pytest.raises(ContainersUnavailable, match="no container engine answers"):
        find_engine()


def test_without_its_packages_it_is_said_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)

    with pytest.raises(ContainersUnavailable, match="docker is not installed: `make containers`"):
        find_engine()


def test_an_engine_that_is_gone_leaves_no_open_socket_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("docker", reason="`make containers` installs what talks to an engine")
    abandoned = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(abandoned))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{abandoned}")
    left_open: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", left_open.append)

    with pytest.raises(ContainersUnavailable, match="no container engine answers"):
        find_engine()
    gc.collect()

    assert left_open == []
