"""docs/constants.md tells the truth: every name is there, with its reason above it or beside it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROW = re.compile(
    r"^\| (?P<knob>[^|]+) \| [^|]+ \| `(?P<name>\w+)` \| (?P<file>\S+) \|$", re.MULTILINE
)
ROWS = ROW.findall((ROOT / "docs/constants.md").read_text())


def test_the_table_is_read() -> None:
    assert len(ROWS) > 25


@pytest.mark.parametrize(("knob", "name", "file"), ROWS, ids=[row[0] for row in ROWS])
def test_a_knob_has_a_name_and_a_reason(knob: str, name: str, file: str) -> None:
    lines = (ROOT / file).read_text().splitlines()
    found = [n for n, line in enumerate(lines) if re.match(rf"\s*{name}\b.*[:=]", line)]

    assert found, f"{file} has no {name}"
    assert _has_reason(lines, found[0]), f"{file}:{found[0] + 1}: {name} has no reason"


def _has_reason(lines: list[str], number: int) -> bool:
    """A comment beside it, in it, above it, or above the constants it stands with."""
    if "#" in lines[number] or lines[number + 1].strip().startswith("#"):
        return True
    for line in reversed(lines[:number]):
        if line.strip().startswith("#"):
            return True
        if not re.match(r"\s*\w+(: Final)? = ", line):
            return False
    return False
