"""`.env.example` names every variable that a service reads, with its default, and none besides."""

import importlib
import re
from typing import Any

import pytest
from harness import stack
from harness.topology.summary import SERVICES
from pydantic import SecretStr
from pydantic_core import PydanticUndefined
from simulators.payment_provider.settings import Settings as ProviderSettings

EXAMPLE = (stack.repository() / ".env.example").read_text(encoding="utf-8")
SET = dict(re.findall(r"^([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE, re.M))
DEFAULTS = dict(re.findall(r"^# ([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE, re.M))
# Read by gunicorn's configuration, a worker's watch, boto3 and OpenTelemetry themselves.
BY_OTHERS = {
    "HOST", "PORT", "DRAIN_S", "SERVICE_NAME", "HEARTBEAT_FILE",
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
}  # fmt: skip
COMPOSE = (stack.repository() / "docker-compose.yml").read_text(encoding="utf-8")


def variables(service: str) -> dict[str, Any]:
    """Name -> default, as the service's own settings have it."""
    fields = importlib.import_module(f"{service}.settings").Settings.model_fields
    return {name.upper(): field.default for name, field in fields.items()}


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_of_a_service_is_there_with_its_default(service: str) -> None:
    wrong = {}
    for name, default in variables(service).items():
        has_no_text = default is None or default is PydanticUndefined
        shown = default.get_secret_value() if isinstance(default, SecretStr) else str(default)
        if name not in SET and (has_no_text or DEFAULTS.get(name) != shown):
            wrong[name] = default

    assert wrong == {}


def test_no_variable_is_there_that_nobody_reads() -> None:
    read = {name for service in SERVICES for name in variables(service)}
    prefix = str(ProviderSettings.model_config["env_prefix"])
    provider = {f"{prefix}{name}".upper() for name in ProviderSettings.model_fields}

    compose = set(re.findall(r"\$\{(\w+)", COMPOSE))

    assert SET.keys() | DEFAULTS.keys() <= read | provider | compose | BY_OTHERS
    assert not SET.keys() & DEFAULTS.keys()
