"""The simulator as a catcher: a stormy run of its own, each of whose invariants is a check."""

import json
import sys
from pathlib import Path
from typing import Any

from harness.suite.mutants.definition import SIMULATOR

# As `make simulate` has them.
BASKETS, SEED = 200, 1
# A sound shop takes 80 s of two cores; one in which nothing settles waits 180 s more, twice.
TIME_LIMIT_S = 540.0
SETTLED = "everything settles"
HOLDS, BROKEN, NOT_JUDGED = "passed", "failed", "broke"


def command(folder: Path) -> list[str]:
    """folder: where the shop of the run and its report go."""
    return [
        *(str(Path(sys.executable).with_name("cartwright")), "simulate", "--weather", "stormy"),
        *("--baskets", str(BASKETS), "--seed", str(SEED)),
        *("--home", str(folder / "home"), "--report-dir", str(folder / "report")),
    ]


def outcomes(folder: Path) -> list[dict[str, Any]]:
    """One an invariant, as `watch` writes them; none if there was no verdict to read.

    A run that judges nothing has caught nothing: all its checks broke.
    """
    path = folder / "report" / "result.json"
    if not path.exists():
        return []
    result = json.loads(path.read_text())
    after = _after(result)
    found = {
        name: [_words(violation) for violation in violations]
        for name, violations in result["invariants"].items()
    }
    found[SETTLED] = [f"{count} {what}" for what, count in result["unrest"].items() if count]
    return [
        {
            "path": SIMULATOR,
            "check": name,
            "ended": (BROKEN if wrong else HOLDS) if result["is_judged"] else NOT_JUDGED,
            "step": after if wrong else "",
            "checkers": [],
            "why": wrong[0] if wrong else "",
            "seconds": 0.0,
        }
        for name, wrong in found.items()
    ]


def _after(result: dict[str, Any]) -> str:
    first = result.get("first_wrong")
    return f"basket {first['basket']}, {first['at_s']} s" if first else "at the end"


def _words(violation: dict[str, Any]) -> str:
    return ": ".join(filter(None, (violation["what"], violation["about"])))
