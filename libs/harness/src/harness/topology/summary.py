"""What a supervisor and auditors need of the topology, without the libraries that validate it.

Kept in the home as long as the file is the same: the validation costs a quarter of a second and
20 MB, which a supervisor would never give back.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.process.home import Home

TOPOLOGY = Path("infra") / "topology.yaml"
# Each has a schema of its own, with an outbox and an inbox.
SERVICES = ("auth", "cart", "catalog", "inventory", "order", "payment", "notification")


@dataclass(frozen=True)
class ServiceSummary:
    port: int
    topic: str | None
    queue: str | None


@dataclass(frozen=True)
class Summary:
    """infrastructure: the usual port of each part."""

    services: Mapping[str, ServiceSummary]
    infrastructure: Mapping[str, int]

    @property
    def ports(self) -> dict[str, int]:
        """Every usual port, by the topology's names."""
        return {name: s.port for name, s in self.services.items()} | dict(self.infrastructure)


def read(repo_root: Path, home: Home) -> Summary:
    """Raises `topology.TopologyError` if the file contradicts itself."""
    file, kept = repo_root / TOPOLOGY, home.path / "topology.json"
    fingerprint = hashlib.sha256(file.read_bytes()).hexdigest()
    document = json.loads(kept.read_text()) if kept.exists() else {}
    if document.get("fingerprint") != fingerprint:
        document = {"fingerprint": fingerprint, **asdict(validated(file))}
        kept.write_text(json.dumps(document))
    return Summary(
        {name: ServiceSummary(**parts) for name, parts in document["services"].items()},
        document["infrastructure"],
    )


def validated(file: Path) -> Summary:
    """Raises `topology.TopologyError`. Slow; see `read`."""
    from harness.topology import model

    shop = model.load(file)
    return Summary(
        {name: ServiceSummary(s.port, s.topic, s.queue) for name, s in shop.services.items()},
        {name: part.port for name, part in shop.infrastructure.items()},
    )
