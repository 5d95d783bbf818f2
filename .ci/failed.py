"""The tests that failed in pytest's last run here, an id a line. Runs none."""

import json
from pathlib import Path

CACHE = Path(".pytest_cache", "v", "cache", "lastfailed")

if CACHE.exists():
    print("\n".join(json.loads(CACHE.read_text())))  # noqa: T201  What it is for.
