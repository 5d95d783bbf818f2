"""What the suite is run against, by subject, and how each target is started. Asserts nothing.

CONFORMANCE_REQUIRED names the targets that may not be missing (``localstack,jaeger``, or ``all``):
there a target that cannot be started is an error, elsewhere its tests are skipped with the reason.
CONFORMANCE_AWS=yes adds AWS itself, by the credentials of the environment. It costs money.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conformance import starting
from conformance.containers import Missing

MESSAGING, POSTGRES, REDIS, TRACES = "messaging", "postgres", "redis", "traces"
REQUIRED = "CONFORMANCE_REQUIRED"
AWS_ALLOWED = "CONFORMANCE_AWS"

Start = Callable[[Path], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Target:
    """name: as in CONFORMANCE_REQUIRED. title: as in the table. real: what the other stands for."""

    name: str
    subject: str
    title: str
    start: Start
    real: bool


@contextmanager
def _aws(_folder: Path) -> Iterator[None]:
    """AWS needs no starting; None is its endpoint."""
    yield None


AWS = Target("aws", MESSAGING, "AWS", _aws, real=True)
TARGETS = (
    Target("emulator", MESSAGING, "emulator", starting.emulator, real=False),
    Target("localstack", MESSAGING, "LocalStack 4.14", starting.localstack, real=True),
    Target("postgres-wheel", POSTGRES, "wheel", starting.postgres_wheel, real=False),
    Target("postgres-image", POSTGRES, "postgres:18", starting.postgres_image, real=True),
    Target("valkey", REDIS, "Valkey wheel", starting.valkey, real=False),
    Target("redis-image", REDIS, "redis:8", starting.redis_image, real=True),
    Target("trace-store", TRACES, "trace store", starting.trace_store, real=False),
    Target("jaeger", TRACES, "Jaeger 2.13", starting.jaeger, real=True),
)


def of(subject: str) -> list[Target]:
    """Those the suite is run against: AWS only when it is asked for by its variable."""
    asked = (*TARGETS, AWS) if os.environ.get(AWS_ALLOWED) == "yes" else TARGETS
    return [target for target in asked if target.subject == subject]


def is_required(name: str) -> bool:
    """Raises ValueError for a name that no target has: it would require nothing."""
    wanted = {part.strip() for part in os.environ.get(REQUIRED, "").split(",")} - {""}
    unknown = wanted - {target.name for target in (*TARGETS, AWS)} - {"all"}
    if unknown:
        raise ValueError(f"{REQUIRED}: there is no target {', '.join(sorted(unknown))}")
    return name in wanted or "all" in wanted


@contextmanager
def started(target: Target, folder: Path) -> Iterator[Any]:
    """What the target's `start` yields; skips, or fails where it is required, if it is missing."""
    required = is_required(target.name)
    with ExitStack() as running:
        try:
            reached = running.enter_context(target.start(folder))
        except Missing as missing:
            if required:
                pytest.fail(f"{target.name} is required, but {missing}", pytrace=False)
            pytest.skip(f"{target.name}: {missing}")
        yield reached
