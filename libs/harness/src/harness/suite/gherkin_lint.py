"""Scenarios that a shopkeeper could have written: `python -m harness.suite.gherkin_lint [FOLDER]`.

Reads features with Cucumber's own parser; says file, line and rule of everything that is not so.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.suite.gherkin import Scenario, parse, read
from harness.suite.steps import read as read_definitions
from harness.suite.steps import undefined

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


@dataclass(frozen=True, order=True)
class Finding:
    file: str
    line: int
    rule: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}"


def lint(folder: Path) -> list[Finding]:
    """Everything in *folder* that is not as it should be, in order."""
    scenarios = read(folder)
    findings = [*_told_twice(scenarios), *_undescribed(folder), *_undefined(folder, scenarios)]
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


def _undefined(folder: Path, scenarios: Sequence[Scenario]) -> Iterator[Finding]:
    """Steps that nothing defines, and definitions that no scenario takes."""
    defined = read_definitions(folder)
    for scenario in scenarios:
        for line, rule in undefined(scenario, defined, scenarios):
            yield Finding(scenario.file, line, rule)
    said = {(step.kind, step.text) for scenario in scenarios for step in scenario.run()}
    for one in defined:
        if not any(one.is_of(kind, text) for kind, text in said):
            yield Finding(one.file, one.line, f"no scenario says {one.readable!r}")


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
