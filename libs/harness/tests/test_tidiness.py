"""What a reader trips over: files that are gone, names that nobody uses, lines without end."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import stack
from harness.audit.checkers import CHECKERS
from test_repository import files

ROOT = stack.repository()
DOCUMENTS = sorted(path for path in files("*.md") if "problem_texts" not in path.parts)
KNOWN = {f"/{path.relative_to(ROOT)}" for path in files("*")}
# Written by a program, which breaks no lines.
MADE = re.compile(r"<!-- Made by|^Written by", re.M)
# A table's row, a heading, a picture or a bare address cannot be broken.
UNBREAKABLE = re.compile(r"\s*(\||#|!\[|<|https?://|\[[^\]]*\]:)")
LINE_MAX = 160
INVARIANTS = [checker.name for checker in CHECKERS]
# Of Keep a Changelog 1.1.0, "What makes a good changelog".
HEADINGS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
FILE = re.compile(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|md|yaml|yml|toml|json|sh|feature|txt|css|tsx?))`")
# Made by a run, or somebody else's.
NOT_OURS = {"traces/index.json", "docs/about/license.md"}
WORD = re.compile(r"[A-Za-z_]\w*")
# Whoever reads these names is not ours: gunicorn, pytest.
READ_BY_OTHERS = re.compile(r"gunicorn_config\.py$")


def prose(document: Path) -> Iterator[tuple[int, str]]:
    """The lines outside of fences, numbered from 1."""
    inside = False
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            inside = not inside
        elif not inside:
            yield number, line


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_file_that_a_document_names_exists(document: Path) -> None:
    if document.name == "CHANGELOG.md":  # It tells of files that were.
        return
    gone = []
    for number, line in prose(document):
        linked = [name for name in LINK.findall(line) if "://" not in name and ":" not in name]
        gone += [f"{number}: {n}" for n in linked if not (document.parent / n).exists()]
        named = [name for name in FILE.findall(line) if name not in NOT_OURS]
        gone += [f"{number}: {n}" for n in named if not any(k.endswith(f"/{n}") for k in KNOWN)]

    assert gone == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_line_of_prose_is_too_long(document: Path) -> None:
    if MADE.search(document.read_text(encoding="utf-8")):
        return
    long = [
        n for n, line in prose(document) if len(line) > LINE_MAX and not UNBREAKABLE.match(line)
    ]

    assert long == []


def test_the_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs/adr").glob("[0-9]*.md"))

    assert numbers == list(range(1, len(numbers) + 1))


def test_the_readme_names_each_invariant_once() -> None:
    named = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(), re.M)

    assert [name for name in named if name in INVARIANTS] == INVARIANTS


def test_the_changelog_keeps_its_headings() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = [part.splitlines() for part in re.split(r"^## ", text, flags=re.M)[1:]]

    for section in sections:
        headings = [line[4:] for line in section if line.startswith("### ")]
        assert set(headings) <= HEADINGS
        assert [h for h, count in Counter(headings).items() if count > 1] == []


def test_each_word_of_the_glossary_is_used() -> None:
    glossary = ROOT / "docs/glossary.md"
    terms = re.findall(r"^\| \*{0,2}([^|*]+?)\*{0,2} \|", glossary.read_text(), re.M)[1:]
    others = " ".join(
        path.read_text(encoding="utf-8").lower()
        for path in files("*.py", "*.md", "*.feature", "*.tsx")
        if path != glossary
    )

    firsts = [re.split("[,:(;]", term)[0].strip("` ").lower() for term in terms]
    assert [first for first in firsts if first not in others] == []


def test_no_public_name_is_left_that_nobody_uses() -> None:
    """In the product: tests alone are no use. A name that is said once is said where it is made."""
    product, tests = Counter[str](), Counter[str]()
    for path in files("*.py", "*.toml", "*.yaml", "*.html", "*.sh"):
        is_test = "tests" in path.parts
        (tests if is_test else product).update(WORD.findall(path.read_text(encoding="utf-8")))

    dead = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files("libs/*/src/*.py", "services/*/src/*.py", "simulators/src/*.py")
        if not READ_BY_OTHERS.search(str(path))
        for name in public_names(path)
        if product[name] == 1 and not ("testing" in path.parts and tests[name])
    ]

    assert dead == []


def public_names(path: Path) -> Iterator[str]:
    """Of a module: what it defines and gives to nobody by a decorator or as a hook of pytest."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name, decorator_list=[]) | ast.ClassDef(name=name):
                names = [name]
            case ast.Assign(targets=targets):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case _:
                names = []
        yield from (n for n in names if not n.startswith(("_", "pytest_")) and n != "main")
