"""Every sentence that scenarios may say: `make steps`, or `python -m harness.suite.steps [WORDS]`.

Read from the sources, so that nothing is imported and no shop is needed.
"""

import argparse
import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.suite import gherkin
from harness.suite.gherkin import Scenario, Step

DECORATORS = ("given", "when", "then")
NEAREST_MAX = 3
# Less alike than this is another sentence.
ALIKE = 0.5


@dataclass(frozen=True)
class Definition:
    """kind: ``given``, ``when`` or ``then``. pattern: a regular expression. file: from the folder
    that was read."""

    kind: str
    pattern: str
    file: str
    line: int

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    def is_of(self, kind: str, text: str) -> bool:
        return kind == self.kind and self._expression.fullmatch(text) is not None

    @property
    def readable(self) -> str:
        """The sentence with its variables as ``<name>``."""
        named = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", r"<\1>", self.pattern)
        return re.sub(r"\\(.)", r"\1", named.replace("(?:", "("))


def read(folder: Path) -> list[Definition]:
    """All that is defined with pytest-bdd in a folder called ``steps``, by file and line."""
    return [
        Definition(kind, pattern, str(file.relative_to(folder)), line)
        for file in sorted(folder.rglob("steps/*.py"))
        for line, kind, pattern in sorted(_definitions(file.read_text()))
    ]


def undefined(
    scenario: Scenario, defined: Sequence[Definition], scenarios: Sequence[Scenario]
) -> Iterator[tuple[int, str]]:
    """(line, what to say) of each step of *scenario* that nothing defines.

    scenarios: all there are; what they say that is like it is named.
    """
    for step in scenario.run():
        if not _is_defined(step, defined):
            near = get_close_matches(step.text, _known(defined, scenarios), NEAREST_MAX, ALIKE)
            hint = " or ".join(map(repr, near)) or "nothing; `make steps` lists them all"
            told = f"{step.kind.capitalize()} {step.text!r}"
            yield step.line, f"no step is defined for {told}; near it is {hint}"


def _is_defined(step: Step, defined: Sequence[Definition]) -> bool:
    return any(one.is_of(step.kind, step.text) for one in defined)


def _known(defined: Sequence[Definition], scenarios: Sequence[Scenario]) -> list[str]:
    steps = {step for scenario in scenarios for step in scenario.run()}
    return sorted({step.text for step in steps if _is_defined(step, defined)})


def _definitions(source: str) -> Iterator[tuple[int, str, str]]:
    for node in ast.walk(ast.parse(source)):
        for call in getattr(node, "decorator_list", ()):
            is_step = isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
            if is_step and call.func.id in DECORATORS:
                yield call.lineno, call.func.id, _pattern(call.args[0])


def _pattern(words: ast.expr) -> str:
    if isinstance(words, ast.Call):  # parsers.re(…)
        return str(ast.literal_eval(words.args[0]))
    return re.escape(str(ast.literal_eval(words)))


def listing(folder: Path, words: str = "") -> Iterator[Text]:
    """Every sentence with *words* in it or in its example, by kind, each with an example."""
    scenarios = gherkin.read(folder)
    said = [(step.kind, step.text, s.file) for s in scenarios for step in s.run()]
    for kind in DECORATORS:
        for one in (d for d in read(folder) if d.kind == kind):
            example, where = next(
                ((text, file) for of, text, file in said if one.is_of(of, text)), ("", "")
            )
            if words.lower() in f"{one.readable} {example}".lower():
                yield Text.assemble((f"{kind.capitalize():6}", "bold"), one.readable)
                about = f"{one.file}:{one.line}"
                yield Text(f"      e.g. {example}  ({where}; {about})", "dim")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m harness.suite.steps", description=__doc__)
    parser.add_argument("words", nargs="*", help="only sentences that have these words")
    parser.add_argument("--folder", type=Path, default=Path("features"))
    options = parser.parse_args()
    console = Console(highlight=False)
    lines = list(listing(options.folder, " ".join(options.words)))
    for line in lines:
        console.print(line, soft_wrap=True)
    if not lines:
        console.print("No step has these words; without any, all of them are listed.")


if __name__ == "__main__":
    main()
