"""The command line and environment of what every stack of ours runs. Pure; starts nothing."""

import json
import sys
from pathlib import Path

from harness.faults import places
from harness.process import readiness
from harness.process.endpoints import Endpoints
from harness.process.ports import HOST
from harness.process.spec import Kind, ProcessSpec
from harness.providers import postgres, preparation, role_names
from harness.providers.service_environment import service_environment
from harness.providers.setting import Setting
from harness.self_test import ENDPOINTS_VARIABLE
from harness.topology.summary import TOPOLOGY
from harness.traces.ledger_writer import DIRECTORY_VARIABLE

# A process is stopped before those of lower layers.
# The fork server is in layer 1.
INFRASTRUCTURE, SIMULATORS, SERVICES = 0, 2, 3
# Where the payment service hears what became of a payment.
WEBHOOK_PATH = "/webhooks/payment-provider"
# Where faults are planted, what a killed worker had received comes again this soon, not in 15 s.
LOST_FOR_S = 3
PREPARE = (sys.executable, "-m", "harness.providers.preparation")


def simulators(setting: Setting) -> list[ProcessSpec]:
    """The payment provider and the mailbox."""
    ports, home = {name: str(port) for name, port in setting.ports.items()}, setting.home.path
    return [
        simulator(
            *(setting, "payment-provider", "payment-provider", "simulators.payment_provider"),
            *("--port", ports["payment-provider"], "--data-dir", str(home / "payment-provider")),
        ),
        simulator(
            *(setting, "mailbox", "mailbox", "simulators.mailbox"),
            *("--smtp-port", ports["smtp"], "--http-port", ports["mailbox"]),
            *("--data-dir", str(home / "mailbox")),
        ),
    ]


def simulator(
    setting: Setting, name: str, port_name: str, module: str, *options: str
) -> ProcessSpec:
    port = setting.ports[port_name]
    return ProcessSpec(
        name=name,
        kind=Kind.MODULE,
        argv=[module, "--host", HOST, *options],
        env={
            "PAYMENT_PROVIDER_API_KEY": setting.secrets["payment-provider"],
            "PAYMENT_PROVIDER_WEBHOOK_URL": setting.seen_url("payment") + WEBHOOK_PATH,
            "PAYMENT_PROVIDER_WEBHOOK_SECRET": setting.secrets["payment-webhook"],
            "OTEL_EXPORTER_OTLP_ENDPOINT": setting.url("otlp"),
            DIRECTORY_VARIABLE: setting.environment.get(DIRECTORY_VARIABLE, ""),
        },
        port=port,
        probe=readiness.http(port, "/healthz"),
        layer=SIMULATORS,
    )


def faults(setting: Setting) -> ProcessSpec:
    """The proxies between the shop and what it stands on, and their desk."""
    port = setting.ports[places.DESK]
    behind = (*places.PLACES, *setting.summary.services)
    return ProcessSpec(
        name=places.DESK,
        kind=Kind.EXEC,
        argv=[
            *(sys.executable, "-m", "harness.faults"),
            *("--ports", json.dumps({n: p for n, p in setting.ports.items() if places.DESK in n})),
            *("--upstreams", json.dumps({n: setting.ports[n] for n in behind})),
            *("--visibility-timeout-s", str(LOST_FOR_S)),
        ],
        port=port,
        probe=readiness.http(port, "/healthz"),
        layer=SIMULATORS,
    )


def database_job(setting: Setting) -> ProcessSpec:
    """A Python of its own: while the fork server imports, the other core has nothing to do."""
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


def self_test_job(setting: Setting, endpoints: Endpoints, result: Path) -> ProcessSpec:
    """Forked, so that boto3 and pydantic are there at once."""
    return ProcessSpec(
        name="self-test",
        kind=Kind.MODULE,
        argv=[
            *("harness.self_test", "--topology", str(setting.repo_root / TOPOLOGY)),
            *("--result", str(result)),
        ],
        env={ENDPOINTS_VARIABLE: json.dumps(endpoints.to_json())},
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
        probe=readiness.http(port, "/readyz"),
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
        provider=setting.provider,
        home=str(setting.home.path),
        services={name: setting.seen_url(name) for name in setting.services},
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
        span_ledger_dir=setting.environment.get(DIRECTORY_VARIABLE, ""),
        faults_url=setting.url(places.DESK) if setting.is_faulty else "",
        **queues,
    )
