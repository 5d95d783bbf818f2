"""Everything about a stack that is known before its first process starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.faults import places
from harness.process.home import Home
from harness.process.ports import HOST
from harness.providers import postgres, role_names
from harness.topology.summary import Summary


@dataclass(frozen=True)
class Setting:
    """Everything that is known before the first process starts.

    provider: whose stack it is. ports: by the topology's names.
    secrets: by role, and `jwt`, `payment-provider`, `payment-webhook`.
    environment: what this stack sets otherwise for every service.
    takes_metrics: whether what takes the spans takes figures as well.
    With a port for `faults`, the shop sees a proxy in the place of what can be spoilt.
    """

    provider: str
    home: Home
    repo_root: Path
    summary: Summary
    services: Sequence[str]
    ports: Mapping[str, int]
    secrets: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    takes_metrics: bool = True

    def url(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"

    @property
    def is_faulty(self) -> bool:
        """Whether faults can be planted in this stack."""
        return places.DESK in self.ports

    def seen_port(self, name: str) -> int:
        """Where the shop finds *name*: the proxy before it, if there is one."""
        return self.ports.get(places.proxy_name(name), self.ports[name])

    def seen_url(self, name: str) -> str:
        return f"http://{HOST}:{self.seen_port(name)}"

    def dsn(self, role: str) -> str:
        return postgres.dsn(self.ports["postgres"], self.secrets[role], role=role)

    def sqlalchemy_url(self, role: str) -> str:
        return self.dsn(role).replace("postgresql://", "postgresql+psycopg2://", 1)

    @property
    def messaging_file(self) -> Path:
        return self.home.path / "messaging.json"


def secret_names(services: Sequence[str]) -> list[str]:
    clients = [f"client-{name}" for name in services]
    return [
        *clients,
        "jwt",
        "payment-provider",
        "payment-webhook",
        postgres.SUPERUSER,
        *role_names.every_role(services),
    ]
