"""Starts each target, embedded or as a container, and waits until it answers. Asserts nothing."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg2
from harness import stack
from harness.eventually import eventually
from harness.process import ports
from harness.providers import emulator as emulator_environment
from harness.providers import images, postgres
from harness.providers import valkey as valkey_server
from harness.providers.containers_specs import LOCALSTACK
from harness.providers.temporary_emulator import temporary_emulator

from conformance import containers
from conformance.containers import Container

# LocalStack takes eight seconds on two idle cores, and this is for a machine with other work too.
READY_WITHIN_S = 90.0
# An answer of something that runs; while it starts, silence is no news.
PROBE_TIMEOUT_S = 2.0
STOP_WITHIN_S = 20.0

PINNED = images.load(stack.repository())
LOCALSTACK_PORT, POSTGRES_PORT, REDIS_PORT = 4566, 5432, 6379
OTLP_PORT, QUERY_PORT = 4318, 16686


@dataclass(frozen=True)
class TraceApi:
    """Where spans go and where traces are asked for, as ``http://127.0.0.1:4318``."""

    otlp_url: str
    query_url: str


# SNS and SQS


@contextmanager
def emulator(folder: Path) -> Iterator[str]:
    """Its endpoint URL; as the embedded provider starts it."""
    repository = stack.repository()
    made = emulator_environment.install(
        repository, repository / ".cartwright", emulator_environment.find_uv()
    )
    with temporary_emulator(repository, made, folder) as running:
        yield running.endpoint_url


@contextmanager
def localstack(_folder: Path) -> Iterator[str]:
    """Its endpoint URL; set up as the shop's own."""
    image = PINNED.localstack
    with containers.running(image, [LOCALSTACK_PORT], environment=LOCALSTACK) as container:
        url = f"http://{container.address(LOCALSTACK_PORT)}"
        _ready(container, lambda: _answers(f"{url}/_localstack/health"))
        yield url


# PostgreSQL: the superuser's DSN


@contextmanager
def postgres_wheel(_folder: Path) -> Iterator[str]:
    with postgres.temporary_server() as dsn:
        yield dsn


@contextmanager
def postgres_image(_folder: Path) -> Iterator[str]:
    secret = "throwaway"  # noqa: S105  Listens on loopback for as long as a test runs.
    image = PINNED.postgres
    with containers.running(
        image, [POSTGRES_PORT], environment={"POSTGRES_PASSWORD": secret}
    ) as container:
        host = container.address(POSTGRES_PORT)
        dsn = f"postgresql://{postgres.SUPERUSER}:{secret}@{host}/{postgres.SUPERUSER}"
        _ready(container, lambda: _accepts(dsn))
        yield dsn


# Redis: its URL


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    port = ports.choose({"redis": 0}, {}, ephemeral=True)["redis"]
    with _process(valkey_server.command(port, folder), folder / "log", lambda: _pongs(port)):
        yield f"redis://{ports.HOST}:{port}/0"


@contextmanager
def redis_image(_folder: Path) -> Iterator[str]:
    """With the wheel's limits. Open to all who reach it, as the official image is by itself."""
    command = ["redis-server", "--save", "", "--maxmemory", valkey_server.MEMORY_MAX]
    command += ["--maxmemory-policy", "allkeys-lru", "--protected-mode", "no"]
    with containers.running(PINNED.redis, [REDIS_PORT], command=command) as container:
        host = container.address(REDIS_PORT)
        _ready(container, lambda: _pongs(int(host.rpartition(":")[2])))
        yield f"redis://{host}/0"


# Traces


@contextmanager
def trace_store(folder: Path) -> Iterator[TraceApi]:
    chosen = ports.choose({"otlp": 0, "query": 0}, {}, ephemeral=True)
    otlp, query = (f"http://{ports.HOST}:{chosen[name]}" for name in ("otlp", "query"))
    command = [sys.executable, "-m", "simulators.trace_store", "--host", ports.HOST]
    command += ["--otlp-port", str(chosen["otlp"]), "--query-port", str(chosen["query"])]
    with _process(command, folder / "log", lambda: _answers(f"{query}/healthz")):
        yield TraceApi(otlp, query)


@contextmanager
def jaeger(_folder: Path) -> Iterator[TraceApi]:
    """As the image starts by itself: everything in memory."""
    with containers.running(PINNED.jaeger, [OTLP_PORT, QUERY_PORT]) as container:
        otlp, query = (f"http://{container.address(port)}" for port in (OTLP_PORT, QUERY_PORT))
        _ready(container, lambda: _answers(f"{query}/api/v3/services"))
        _ready(container, lambda: _listens(otlp))
        yield TraceApi(otlp, query)


# Waiting


def _ready(container: Container, is_ready: Callable[[], bool]) -> None:
    try:
        eventually(is_ready, READY_WITHIN_S, "the container answers")
    except AssertionError as error:
        raise AssertionError(f"{error}; its log ends:\n{container.log()}") from error


@contextmanager
def _process(command: list[str], log: Path, is_ready: Callable[[], bool]) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  Our own program and arguments.
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        eventually(
            lambda: process.poll() is not None or is_ready(), READY_WITHIN_S, "the program answers"
        )
        assert process.poll() is None, log.read_text(errors="replace")
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=PROBE_TIMEOUT_S).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _listens(otlp_url: str) -> bool:
    """A collector that is up takes an empty request."""
    try:
        answer = httpx.post(f"{otlp_url}/v1/traces", json={}, timeout=PROBE_TIMEOUT_S)
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK


def _accepts(dsn: str) -> bool:
    try:
        psycopg2.connect(dsn, connect_timeout=int(PROBE_TIMEOUT_S)).close()
    except psycopg2.OperationalError:
        return False
    return True


def _pongs(port: int) -> bool:
    try:
        with socket.create_connection((ports.HOST, port), PROBE_TIMEOUT_S) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False
