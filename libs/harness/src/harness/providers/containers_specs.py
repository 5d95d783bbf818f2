"""The infrastructure of a stack on containers: one keeper each. Pure; starts nothing."""

import hashlib
import signal
import sys

from harness.process import readiness
from harness.process.spec import Kind, Probe, ProcessSpec
from harness.providers import postgres, valkey
from harness.providers.container import ContainerSpec
from harness.providers.images import Images
from harness.providers.setting import Setting
from harness.providers.shop_specs import INFRASTRUCTURE

# The conformance suite holds LocalStack to SNS and SQS as it is set up here.
LOCALSTACK = {"SERVICES": "sns,sqs", "SQS_ENDPOINT_STRATEGY": "dynamic", "DISABLE_EVENTS": "1"}
KEEPER = (sys.executable, "-m", "harness.providers.container")
# Where each program listens inside its container.
POSTGRES_PORT, REDIS_PORT, AWS_PORT = 5432, 6379, 4566
QUERY_PORT, OTLP_PORT = 16686, 4318


def database(setting: Setting, images: Images) -> ProcessSpec:
    """Its data is in a volume: it outlives the container, though not the stack."""
    settings = [
        part for name, value in postgres.SETTINGS.items() for part in ("-c", f"{name}={value}")
    ]
    port = setting.ports["postgres"]
    spec = ContainerSpec(
        images.postgres,
        container_name(setting, "postgres"),
        str(setting.home.path),
        {POSTGRES_PORT: port},
        {
            "POSTGRES_USER": postgres.SUPERUSER,
            "POSTGRES_PASSWORD": setting.secrets[postgres.SUPERUSER],
            "POSTGRES_INITDB_ARGS": "--locale=C --encoding=UTF8",
        },
        # From 18 on the folder above `data`.
        volumes={container_name(setting, "postgres"): "/var/lib/postgresql"},
        command=["postgres", *settings],
    )
    return _kept("postgres", spec, port, readiness.postgres(port))


def cache(setting: Setting, images: Images) -> ProcessSpec:
    port = setting.ports["redis"]
    options = {
        "bind": "0.0.0.0",  # noqa: S104  Of the container; it is published on loopback only.
        "protected-mode": "no",
        "save": "",
        "maxmemory": valkey.MEMORY_MAX,
        "maxmemory-policy": "allkeys-lru",
    }
    command = ["redis-server", *(part for n, v in options.items() for part in (f"--{n}", v))]
    spec = ContainerSpec(
        images.redis,
        container_name(setting, "redis"),
        str(setting.home.path),
        {REDIS_PORT: port},
        command=command,
    )
    return _kept("redis", spec, port, readiness.valkey(port))


def aws(setting: Setting, images: Images) -> ProcessSpec:
    """Queue URLs follow the address that one asks at, because the port here is not 4566."""
    port = setting.ports["aws"]
    spec = ContainerSpec(
        images.localstack,
        container_name(setting, "localstack"),
        str(setting.home.path),
        {AWS_PORT: port},
        LOCALSTACK,
    )
    return _kept("localstack", spec, port, readiness.http(port, "/_localstack/health"))


def traces(setting: Setting, images: Images) -> ProcessSpec:
    port = setting.ports["traces"]
    spec = ContainerSpec(
        images.jaeger,
        container_name(setting, "jaeger"),
        str(setting.home.path),
        {QUERY_PORT: port, OTLP_PORT: setting.ports["otlp"]},
        {"JAEGER_LISTEN_HOST": "0.0.0.0"},  # noqa: S104  Of the container.
    )
    return _kept("jaeger", spec, port, readiness.http(port, "/api/v3/services"))


def container_name(setting: Setting, part: str) -> str:
    """Two stacks never share one: it tells their homes apart."""
    digest = hashlib.sha256(str(setting.home.path).encode()).hexdigest()
    return f"cartwright-{digest[:12]}-{part}"


def _kept(name: str, spec: ContainerSpec, port: int, probe: Probe) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        kind=Kind.EXEC,
        argv=KEEPER,
        env=spec.to_environment(),
        port=port,
        probe=probe,
        # It removes its container before it ends.
        death_signal=signal.SIGTERM,
        layer=INFRASTRUCTURE,
    )
