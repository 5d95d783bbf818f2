"""What every run of pytest here knows of a test: whether it needs more than its own process.

`slow` and `conformance` are seen from what a test asks for, `exhaustive` is said by who wrote it.
`--quick` leaves all three out, and whoever else reaches for another process. Starts nothing.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Fixtures that start a server, whatever package they are of.
SERVERS = frozenset({"database_url", "valkey_url", "serve"})
# Audit events (PEP 578) of whoever makes another process. Where none is, none can be talked to.
BIRTHS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"})
# Importing one builds every case of a contract, or parses all source, in each process: a second
# or two, for tests that are left out.
CASES_AT_IMPORT = frozenset({"test_conformance.py", "test_security_rules.py"})
# Memory, where a system has such a folder: there SQLite does not wait for the disk, which took more
# than the tests themselves. pytest's own variable; who has set it knows better. pytest keeps the
# folders of the last three runs, ten megabytes each.
MEMORY = "/dev/shm"  # noqa: S108  pytest makes a folder of its own there, for this user only.


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick", action="store_true", help="only tests that need no process besides their own"
    )


def pytest_configure(config: pytest.Config) -> None:
    # How long an example takes says more of a busy machine than of what is tested.
    settings.register_profile("patient", settings.default, deadline=None)
    settings.load_profile("patient")
    if config.getoption("--quick"):
        config.option.markexpr = config.option.markexpr or "not (slow or exhaustive or conformance)"
        config.pluginmanager.register(Quick())
        if os.access(MEMORY, os.W_OK):
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)


@pytest.hookimpl(tryfirst=True)  # Before pytest chooses by marks.
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
        if type(item).__module__.startswith("schemathesis."):
            item.add_marker(pytest.mark.conformance)


class Quick:
    """Keeps tests in their process: one that leaves it is skipped there and then."""

    def __init__(self) -> None:
        self._is_testing = False
        sys.addaudithook(self._look)  # For good: the interpreter has no way to take it back.

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        return True if collection_path.name in CASES_AT_IMPORT else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        self._is_testing = True
        try:
            return (yield)
        finally:
            self._is_testing = False

    def _look(self, event: str, _: tuple[Any, ...]) -> None:
        if self._is_testing and event in BIRTHS:
            pytest.skip(f"needs another process: {event}")
