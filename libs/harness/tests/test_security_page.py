"""docs/security.md tells the truth: all 48 checks are there, and every test it names exists."""

import ast
import re
from pathlib import Path

import pytest
from harness import stack

ROOT = stack.repository()
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (S\d\d) \| (.+) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w./-]+\.py)::(test_\w+)`")
# What is no test of ours: a target of the Makefile, or a later part of the project.
OTHERWISE = re.compile(r"`make (check|audit)`|not yet: comes with [A-Za-z]")
ROWS = ROW.findall(PAGE)


def named_in(path: Path) -> set[str]:
    """Names of the test functions, those of classes among them, without running anything."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_all_forty_eight_are_there_once() -> None:
    assert [number for number, _, _ in ROWS] == [f"S{n:02}" for n in range(1, 49)]


@pytest.mark.parametrize(
    ("number", "held_by"), [(n, h) for n, _, h in ROWS], ids=[r[0] for r in ROWS]
)
def test_a_promise_is_held_by_tests_that_exist(number: str, held_by: str) -> None:
    named = TEST.findall(held_by)

    assert named or OTHERWISE.search(held_by), f"{number} is held by nothing"
    for file, test in named:
        assert (ROOT / file).exists(), file
        assert test in named_in(ROOT / file), f"{file} has no {test}"
    assert held_by.count("::") == len(named), f"{number} names something that is no test"


def test_what_is_not_yet_is_said_plainly() -> None:
    waiting = {number for number, _, held_by in ROWS if held_by.startswith("not yet")}

    assert waiting <= {"S15", "S31", "S35", "S37", *(f"S{n}" for n in range(43, 49))}
