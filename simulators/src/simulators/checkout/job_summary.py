"""A run in a few lines of Markdown, where CI shows them: GitHub's job summary. Judges nothing."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.audit.checkers.violation import grouped
from rich.console import Console
from rich.markup import escape

from simulators.checkout import comparison, gate
from simulators.checkout.comparison import Comparison, verdict
from simulators.checkout.results import Result

# GitHub names the file; all steps of a job may append to theirs, which is then shown as Markdown.
VARIABLE = "GITHUB_STEP_SUMMARY"
# Kinds of violations of one invariant; the report has all, and GitHub takes 1 MiB a step.
KINDS_MAX = 5
# What GitHub's Markdown would take for marks, tags or cells of a table.
MARKS = re.compile(r"([\\`*_{}\[\]<>#|~])")


def markdown(
    result: Result, judgement: gate.Judgement | None, beside: Comparison | None = None
) -> str:
    """Verdict, what is broken and what became of whom, the weather, the gate, an earlier run beside
    it, and how to have the run again.
    """
    parts = [
        f"## Cartwright: {verdict(result)}",
        f"{result.baskets} baskets of {result.plan.journey}, seed {result.plan.seed}",
        "\n".join(_wrong(result)),
        _plain(", ".join(f"{count} {outcome}" for outcome, count in result.outcomes.items())),
        str(result.toll),
        *(_gate(judgement) if judgement else ()),
        *(_beside(beside) if beside else ()),
        f"Again:\n\n    {' '.join(result.plan.command.split())}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n\n"


def _wrong(result: Result) -> Iterable[str]:
    for finding in result.broken_first:
        for group in grouped(finding.violations)[:KINDS_MAX]:
            first, often = group.first, f" ×{len(group.violations)}"
            where = f" (order {first.order_id})" if first.order_id else ""
            yield f"- **{_plain(finding.checker.name)}**: {_plain(group.what)}{often}{where}"
    if result.unrest:
        yield f"- not settled: {_plain(str(result.unrest))}"
    if result.traces_unread:
        yield f"- traces not read: {_plain(result.traces_unread)}"
    if result.others:
        yield f"- not alone: others placed {result.others} orders meanwhile"
    if not result.toll.is_enough:
        yield "- too little happened in this weather to call it a proof"


def _gate(judgement: gate.Judgement) -> Iterable[str]:
    yield f"### The gate is {'met' if judgement.is_met else '**not met**'}"
    yield _table(gate.HEADS, [check.cells for check in judgement.checks])
    if judgement.unlike:
        yield f"Unlike the baseline: {_plain('; '.join(judgement.unlike))}."


def _beside(beside: Comparison) -> Iterable[str]:
    yield f"### Beside {_plain(beside.earlier)}"
    yield _table(comparison.HEADS, beside.cells)
    if beside.unlike:
        yield f"Unlike the earlier run: {_plain('; '.join(beside.unlike))}."


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(_row(row) for row in (heads, ("---",) * len(heads), *rows))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(text: str) -> str:
    """*text* in one line, as it reads."""
    return MARKS.sub(r"\\\1", " ".join(text.split()))


def refusal(reason: str) -> str:
    """Of a run that nobody could judge."""
    return f"## Cartwright: not judged\n\n{_plain(reason)}\n\n"


def append(console: Console, text: str) -> None:
    """To the file that `VARIABLE` names, if it does. One that cannot be written is told."""
    if not (name := os.environ.get(VARIABLE)):
        return
    try:
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        console.print(
            f"[yellow]No job summary:[/] {escape(str(error))}. {VARIABLE} has to name a file that"
            " can be written; the verdict stands.",
            soft_wrap=True,
        )
