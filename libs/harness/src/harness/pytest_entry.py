"""The entry of every run of pytest: `-p harness.pytest_entry` comes before all that is tested.

On import, because a hook would come too late for pytest's other plugins. Its workers inherit it.
"""

from harness import surroundings

surroundings.clean()
