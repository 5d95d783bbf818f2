"""Scenarios that a shopkeeper could have written: `python -m harness.suite.gherkin_lint [FOLDER]`.

Reads features with Cucumber's own parser; says file, line and rule of everything that is not so.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gherkin.parser import Parser

# Longer, and nobody keeps in mind how it began.
STEPS_MAX = 12
# Words of those who build a shop, not of those who keep one. Names of processes may stand in
# examples, which are not looked at.
TECHNICAL = re.compile(
    r"\b(HTTP|JSON|XML|SQL|SNS|SQS|API|URL|UUID|DLQ|OTLP|TCP|endpoint|payload|header|queue|topic"
    r"|webhook|redis|postgres(ql)?|docker|localhost|null|span|exception|SIGKILL|SIGTERM|SIGSTOP)s?\b",
    re.IGNORECASE,
)
ORDER = {"Context": 0, "Action": 1, "Outcome": 2}
DECORATORS = ("given", "when", "then")


@dataclass(frozen=True, order=True)
class Finding:
    file: str
    line: int
    rule: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}"


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

    def texts(self) -> Iterator[str]:
        """Every step that it runs, with the words of every example."""
        for step in (*self.background, *self.steps):
            for row in self.examples or ({},):
                yield _filled(step["text"], row)


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


def lint(folder: Path) -> list[Finding]:
    """Everything in *folder* that is not as it should be, in order."""
    scenarios = read(folder)
    findings = [*_told_twice(scenarios), *_undescribed(folder), *_unused(folder, scenarios)]
    for scenario in scenarios:
        findings += _of_one(scenario)
    return sorted(set(findings))  # A background is every scenario's.


def _of_one(scenario: Scenario) -> Iterator[Finding]:
    steps = scenario.steps
    kinds = [step["keywordType"] for step in steps if step["keywordType"] != "Conjunction"]
    if "Outcome" not in kinds:
        yield Finding(scenario.file, scenario.line, "nothing is claimed: there is no Then")
    if len(steps) > STEPS_MAX:
        rule = f"{len(steps)} steps: more than {STEPS_MAX} nobody follows"
        yield Finding(scenario.file, scenario.line, rule)
    if [ORDER[kind] for kind in kinds] != sorted(ORDER[kind] for kind in kinds):
        rule = "Given, When, Then come in this order, each once: else it is two scenarios"
        yield Finding(scenario.file, scenario.line, rule)
    for step in (*scenario.background, *steps):
        if found := TECHNICAL.search(step["text"]):
            rule = f"{found[0]!r} is a word of those who build a shop"
            yield Finding(scenario.file, step["location"]["line"], rule)


def _told_twice(scenarios: Sequence[Scenario]) -> Iterator[Finding]:
    first: dict[str, Scenario] = {}
    for scenario in scenarios:
        before = first.setdefault(scenario.name, scenario)
        if before is not scenario:
            rule = f"{scenario.name!r} is told in {before.file}:{before.line} already"
            yield Finding(scenario.file, scenario.line, rule)


def _undescribed(folder: Path) -> Iterator[Finding]:
    for file in sorted(folder.rglob("*.feature")):
        feature = parse(file)
        if not feature["description"].strip():
            yield Finding(str(file.relative_to(folder)), 1, "nobody is told why: no description")


def _unused(folder: Path, scenarios: Sequence[Scenario]) -> Iterator[Finding]:
    """Definitions of steps that no scenario takes."""
    texts = {text for scenario in scenarios for text in scenario.texts()}
    for file in sorted(folder.rglob("steps/*.py")):
        for line, pattern in definitions(file.read_text()):
            if not any(re.fullmatch(pattern, text) for text in texts):
                rule = f"no scenario says {pattern!r}"
                yield Finding(str(file.relative_to(folder)), line, rule)


def definitions(source: str) -> Iterator[tuple[int, str]]:
    """(line, regular expression) of each step that *source* defines with pytest-bdd."""
    for node in ast.walk(ast.parse(source)):
        for call in getattr(node, "decorator_list", ()):
            is_step = isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
            if is_step and call.func.id in DECORATORS:
                yield call.lineno, _pattern(call.args[0])


def _pattern(words: ast.expr) -> str:
    if isinstance(words, ast.Call):  # parsers.re(…)
        return str(ast.literal_eval(words.args[0]))
    return re.escape(str(ast.literal_eval(words)))


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m harness.suite.gherkin_lint", description=__doc__
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("features"))
    findings = lint(parser.parse_args().folder)
    for finding in findings:
        print(finding)  # noqa: T201
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
