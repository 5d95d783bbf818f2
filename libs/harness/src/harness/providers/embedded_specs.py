"""The command line and environment of every process of an embedded stack. Pure; starts nothing."""

import json
import os
import signal
import sys
from pathlib import Path

from harness import probes
from harness.endpoints import Endpoints
from harness.outline import TOPOLOGY
from harness.process_spec import Kind, ProcessSpec
from harness.providers import emulator, postgres, preparation, role_names, valkey
from harness.providers.embedded_setting import Setting
from harness.providers.ports import HOST
from harness.providers.service_environment import service_environment

# A process is stopped before those of lower layers.
# The zygote is in layer 1.
INFRASTRUCTURE, SIMULATORS, SERVICES = 0, 2, 3
# What a killed emulator may lose at most. A save stops it for about 10 ms per 1,000 messages.
EMULATOR_SAVE_EVERY_S = 1
# Where the payment service hears what became of a payment.
WEBHOOK_PATH = "/webhooks/payment-provider"
PREPARE = (sys.executable, "-m", "harness.providers.preparation")


def database(setting: Setting, server: postgres.Installation) -> ProcessSpec:
    async def probe(pid: int) -> bool:
        return postgres.is_ready(server, pid)

    return ProcessSpec(
        name="postgres",
        kind=Kind.EXEC,
        argv=postgres.command(server, setting.ports["postgres"]),
        port=setting.ports["postgres"],
        probe=probe,
        stop_signal=postgres.STOP_SIGNAL,
        death_signal=postgres.STOP_SIGNAL,
        account=server.account,
        layer=INFRASTRUCTURE,
    )


def cache(setting: Setting) -> ProcessSpec:
    port = setting.ports["redis"]
    return ProcessSpec(
        name="redis",
        kind=Kind.EXEC,
        argv=valkey.command(port, setting.home.path / "redis"),
        port=port,
        probe=probes.valkey(port),
        layer=INFRASTRUCTURE,
    )


def aws(setting: Setting, emulator_env: Path) -> ProcessSpec:
    port = setting.ports["aws"]
    return ProcessSpec(
        name="emulator",
        kind=Kind.EXEC,
        argv=emulator.command(setting.repo_root, emulator_env),
        env={
            **emulator.environment(port, setting.home.path / "emulator"),
            "EMULATOR_SAVE_EVERY_S": str(EMULATOR_SAVE_EVERY_S),
            "CARTWRIGHT_PARENT_PID": str(os.getpid()),
        },
        port=port,
        probe=probes.http(port, emulator.HEALTH_PATH),
        # It saves its queues before it ends.
        death_signal=signal.SIGTERM,
        layer=INFRASTRUCTURE,
    )


def simulators(setting: Setting) -> list[ProcessSpec]:
    """The trace store, the payment provider and the mailbox."""
    ports, home = {name: str(port) for name, port in setting.ports.items()}, setting.home.path
    return [
        _simulator(
            *(setting, "trace-store", "traces", "simulators.trace_store"),
            *("--otlp-port", ports["otlp"], "--query-port", ports["traces"]),
        ),
        _simulator(
            *(setting, "payment-provider", "payment-provider", "simulators.payment_provider"),
            *("--port", ports["payment-provider"], "--data-dir", str(home / "payment-provider")),
        ),
        _simulator(
            *(setting, "mailbox", "mailbox", "simulators.mailbox"),
            *("--smtp-port", ports["smtp"], "--http-port", ports["mailbox"]),
            *("--data-dir", str(home / "mailbox")),
        ),
    ]


def _simulator(
    setting: Setting, name: str, port_name: str, module: str, *options: str
) -> ProcessSpec:
    port = setting.ports[port_name]
    return ProcessSpec(
        name=name,
        kind=Kind.MODULE,
        argv=[module, "--host", HOST, *options],
        env={
            "PAYMENT_PROVIDER_API_KEY": setting.secrets["payment-provider"],
            "PAYMENT_PROVIDER_WEBHOOK_URL": setting.url("payment") + WEBHOOK_PATH,
            "PAYMENT_PROVIDER_WEBHOOK_SECRET": setting.secrets["payment-webhook"],
            "OTEL_EXPORTER_OTLP_ENDPOINT": setting.url("otlp"),
        },
        port=port,
        probe=probes.http(port, "/healthz"),
        layer=SIMULATORS,
    )


def database_job(setting: Setting) -> ProcessSpec:
    """A Python of its own: while the zygote imports, the other core has nothing to do."""
    passwords = {role: setting.secrets[role] for role in role_names.every_role(setting.services)}
    return ProcessSpec(
        name="prepare-database",
        kind=Kind.EXEC,
        argv=[*PREPARE, "database", *setting.services],
        env={
            preparation.DSN_VARIABLE: setting.dsn(postgres.SUPERUSER),
            preparation.PASSWORDS_VARIABLE: json.dumps(passwords),
        },
    )


def messaging_job(setting: Setting) -> ProcessSpec:
    """A Python of its own, like `database_job`."""
    return ProcessSpec(
        name="prepare-messaging",
        kind=Kind.EXEC,
        argv=[
            *(*PREPARE, "messaging", "--endpoint-url", setting.url("aws")),
            *("--topology", str(setting.repo_root / TOPOLOGY)),
            *("--result", str(setting.messaging_file)),
        ],
    )


def migrations_job(setting: Setting) -> ProcessSpec | None:
    """None if no service has migrations."""
    folders = [setting.repo_root / "services" / f"{name}-service" for name in setting.services]
    migrated = [str(folder) for folder in folders if (folder / "migrations" / "env.py").exists()]
    if not migrated:
        return None
    return ProcessSpec(
        name="migrations",
        kind=Kind.MODULE,
        argv=["common.migrations", "upgrade", *migrated],
        env={"DATABASE_URL": setting.sqlalchemy_url(role_names.MIGRATOR)},
    )


def service_processes(setting: Setting, endpoints: Endpoints) -> list[ProcessSpec]:
    """The web process and the worker of each service."""
    return [
        *(_web_process(setting, endpoints, name) for name in setting.services),
        *(_worker_process(setting, endpoints, name) for name in setting.services),
    ]


def _web_process(setting: Setting, endpoints: Endpoints, name: str) -> ProcessSpec:
    port = setting.ports[name]
    return ProcessSpec(
        name=f"{name}-web",
        kind=Kind.GUNICORN,
        argv=["-c", "python:common.gunicorn_config", f"{name}.app:create_app()"],
        env=service_environment(setting, endpoints, name)
        | {"SERVICE_ROLE": "web", "HOST": HOST, "PORT": str(port)},
        port=port,
        probe=probes.http(port, "/readyz"),
        layer=SERVICES,
    )


def _worker_process(setting: Setting, endpoints: Endpoints, name: str) -> ProcessSpec:
    return ProcessSpec(
        name=f"{name}-worker",
        kind=Kind.MODULE,
        argv=[f"{name}.worker"],
        env=service_environment(setting, endpoints, name) | {"SERVICE_ROLE": "worker"},
        layer=SERVICES,
    )


def endpoints(setting: Setting) -> Endpoints:
    """Call once `messaging_job` is done. Without pids; the supervisor knows those."""
    queues = json.loads(setting.messaging_file.read_text())
    return Endpoints(
        provider="embedded",
        home=str(setting.home.path),
        services={name: setting.url(name) for name in setting.services},
        postgres_dsn=setting.dsn(postgres.SUPERUSER),
        auditor_dsn=setting.dsn(role_names.AUDITOR),
        redis_url=f"redis://{HOST}:{setting.ports['redis']}/0",
        aws_endpoint_url=setting.url("aws"),
        trace_query_url=setting.url("traces"),
        otlp_url=setting.url("otlp"),
        payment_provider_url=setting.url("payment-provider"),
        payment_provider_api_key=setting.secrets["payment-provider"],
        mailbox_url=setting.url("mailbox"),
        smtp_host=HOST,
        smtp_port=setting.ports["smtp"],
        jwt_secret=setting.secrets["jwt"],
        pids={},
        **queues,
    )
