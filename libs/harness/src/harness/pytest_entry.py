"""The entry of every run of pytest: `-p harness.pytest_entry` comes before all that is tested.

On import, because a hook would come too late for pytest's other plugins. Its workers inherit it.
"""

import random

import pytest

from harness.process import surroundings

surroundings.clean()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Ids of traces come from `random`, which `--random-order` has seeded alike in each process."""
    random.seed()
