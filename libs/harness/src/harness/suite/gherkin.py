"""Features as data, by Cucumber's own parser."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gherkin.parser import Parser

# Of Cucumber's words for kinds of steps, ours; a conjunction is of the kind before it.
KINDS = {"Context": "given", "Action": "when", "Outcome": "then"}


@dataclass(frozen=True, slots=True)
class Step:
    """kind: ``given``, ``when`` or ``then``. text: without its keyword, as it is run."""

    kind: str
    text: str
    line: int


@dataclass(frozen=True)
class Scenario:
    """One scenario, or outline. steps: its own, without the background's.

    examples: the rows of an outline, each by the names in its header.
    """

    file: str
    feature: str
    name: str
    line: int
    background: Sequence[Mapping[str, Any]]
    steps: Sequence[Mapping[str, Any]]
    examples: Sequence[Mapping[str, str]] = ()

    def run(self) -> Iterator[Step]:
        """Every step that it runs, with the words of every example."""
        kind = ""
        for step in (*self.background, *self.steps):
            kind = KINDS.get(step["keywordType"], kind)
            for row in self.examples or ({},):
                yield Step(kind, _filled(step["text"], row), step["location"]["line"])


def _filled(text: str, row: Mapping[str, str]) -> str:
    return re.sub(r"<(.+?)>", lambda found: row.get(found[1], found[0]), text)


def read(folder: Path) -> list[Scenario]:
    """All scenarios under *folder*, in the order of their files and lines.

    Raises gherkin's errors for what is no Gherkin.
    """
    return [s for file in sorted(folder.rglob("*.feature")) for s in _scenarios(folder, file)]


def parse(file: Path) -> Mapping[str, Any]:
    """The feature of *file*, as Cucumber's messages have it. Raises gherkin's errors."""
    document: Mapping[str, Any] = dict(Parser().parse(file.read_text()))
    feature: Mapping[str, Any] = document["feature"]
    return feature


def _scenarios(folder: Path, file: Path) -> Iterator[Scenario]:
    feature = parse(file)
    background: Sequence[Mapping[str, Any]] = ()
    for child in feature["children"]:
        if "background" in child:
            background = child["background"]["steps"]
        if "scenario" in child:
            told = child["scenario"]
            yield Scenario(
                str(file.relative_to(folder)),
                feature["name"],
                told["name"],
                told["location"]["line"],
                background,
                told["steps"],
                tuple(_rows(told["examples"])),
            )


def _rows(examples: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    for table in examples:
        names = [cell["value"] for cell in table["tableHeader"]["cells"]]
        for row in table["tableBody"]:
            yield dict(zip(names, (cell["value"] for cell in row["cells"]), strict=True))
