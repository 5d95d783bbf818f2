"""The whole stack as processes of this machine, from wheels: no container engine needed."""

from typing import Any, ClassVar

from harness.providers import emulator
from harness.providers.local import LocalProvider


class EmbeddedProvider(LocalProvider):
    """PostgreSQL and Valkey from wheels, the emulator of SNS and SQS, our own trace store."""

    plan: ClassVar[str] = "harness.providers.embedded_plan:bring_up"

    def prepare(self) -> dict[str, Any]:
        """Raises `emulator.EmulatorNotInstalled`."""
        made = emulator.install(self.repo_root, self.home.path, emulator.find_uv())
        return {"emulator_env": str(made)}
