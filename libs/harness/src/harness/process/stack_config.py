"""What a supervisor is told before it starts anything, and what every process of it sees."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from harness.process import surroundings
from harness.process.home import Home


@dataclass(frozen=True)
class Launch:
    """plan: ``module:function``, see `process.supervision.Plan`. options: the plan's business.

    python_path: folders in front of every process's `sys.path`.
    """

    plan: str
    repo_root: str
    python_path: list[str]
    options: dict[str, Any]

    def write(self, home: Home) -> None:
        (home.path / "launch.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, home: Home) -> Self:
        return cls(**json.loads((home.path / "launch.json").read_text()))

    def environment(self, outside: Mapping[str, str]) -> dict[str, str]:
        """For every process: not the developer's AWS account, nor proxies or settings."""
        environment = surroundings.of_stacks(outside) | {"PYTHONUNBUFFERED": "1"}
        if self.python_path:
            environment["PYTHONPATH"] = os.pathsep.join(self.python_path)
        if outside.get("PYTHONDONTWRITEBYTECODE"):
            # Compiling two thousand modules at every start takes longer than all the rest;
            # keep the result where it litters no checkout, for all stacks of this user.
            cache = outside.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
            environment["PYTHONPYCACHEPREFIX"] = os.path.join(cache, "cartwright", "pycache")
        return environment
