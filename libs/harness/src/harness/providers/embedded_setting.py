"""Everything about an embedded stack that is known before its first process starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.home import Home
from harness.outline import Outline
from harness.providers import postgres, role_names
from harness.providers.ports import HOST


@dataclass(frozen=True)
class Setting:
    """Everything that is known before the first process starts.

    ports: by the topology's names. secrets: by role, and `jwt`, `payment-provider`,
        `payment-webhook`. environment: what this stack sets otherwise for every service.
    """

    home: Home
    repo_root: Path
    outline: Outline
    services: Sequence[str]
    ports: Mapping[str, int]
    secrets: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def url(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"

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
