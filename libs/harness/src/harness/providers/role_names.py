"""What the database's roles are called. `roles` makes them, and needs a driver; this needs none."""

from collections.abc import Sequence

MIGRATOR = "cartwright_migrator"
AUDITOR = "cartwright_auditor"


def service_role(service: str) -> str:
    return f"{service}_service"


def every_role(services: Sequence[str]) -> list[str]:
    """Every role that has a password, beside the superuser."""
    return [MIGRATOR, AUDITOR, *(service_role(service) for service in services)]
