"""The tests that failed in pytest's last run here, an id a line. Runs none."""

import json
import re
from pathlib import Path

CACHE = Path(".pytest_cache", "v", "cache", "lastfailed")

if CACHE.exists():
    for test in json.loads(CACHE.read_text()):
        print(re.sub(r"@[\w-]+$", "", test))  # noqa: T201  xdist appends the test's group.
