"""docs/mutants.md, made from the definitions and the results that are kept. Runs nothing."""

from collections import Counter
from collections.abc import Sequence

from harness.suite.mutants import simulation
from harness.suite.mutants.definition import SIMULATOR, Mutant
from harness.suite.mutants.results import Judged, Results, Verdict

INTRO = """\
<!-- Made by `make mutants` (`python -m harness.suite.mutants --write`); do not edit. -->
# Mutants: what the suite would notice

Every row is one bug, planted alone in a copy of one package, for a shop of its own or for the
tests of that service. A cell says how many checks of that kind saw it; `·` is a kind that looked
and saw nothing, an empty cell one that was not asked. A bug is *caught* when a check that passes
without it fails with an assertion of its own. A crash, a time limit or a bug that no process
loaded is *inconclusive*, never a catch.

    make mutants                                    # all of them, and this page
    .venv/bin/python -m harness.suite.mutants NAME        # one; --list says which there are
    .venv/bin/python -m harness.suite.mutants --all-catchers NAME   # every feature looks at it

## To add one

Write it into `mutants/<service>.yaml`: what is wrong in one sentence, the file, the exact text
that is replaced (it has to stand there once: a unit test says so as soon as the code moves on),
and who is to notice: a feature, a test file of the service, or `audit` (25 real baskets, read by
every checker), each with `#words` to choose some of its checks; or `simulator`, a whole run in
stormy weather. The services hold no switches: the bug is in a copy of the package that goes first
on the path of that shop's processes, and the copy says itself who loaded it.
"""
NOT_RUN = "not run"
# A rule that many rows of one table hold needs no list of them.
LINES_MAX = 8
FEATURES, TRACE = "features/", "trace proof"
LAST = (TRACE, "audit", "faults", "security", "service tests")
# What the steps of features/steps/flow.py say, wherever their scenario stands.
TRACE_WORDS = (
    "one whole trace", "of these happened", "ever happened", "as many times as", "are a part of it",
    "without a cause", "in it failed", "card number down", "took effect once", "in the trace",
    "took no part", "the way we know",
)  # fmt: skip


def render(mutants: Sequence[Mutant], results: Results) -> str:
    kinds = _kinds(mutants, results)
    parts = [INTRO, _summary(mutants, results), _matrix(mutants, results, kinds)]
    parts += [_alone(mutants, results), _who_caught(mutants, results)]
    return "\n".join(parts)


def kind_of(path: str, step: str = "") -> str:
    """The column of a check: whose subject its file is, or the trace if a step about it failed."""
    if any(word in step for word in TRACE_WORDS):
        return TRACE
    if path == SIMULATOR:
        return SIMULATOR
    if path.startswith(FEATURES):
        return path.split("/")[1]
    return "service tests"


def _kinds(mutants: Sequence[Mutant], results: Results) -> list[str]:
    asked = {kind_of(catcher.path) for mutant in mutants for catcher in mutant.catchers}
    for name in results.mutants:
        asked |= {kind_of(c["path"], c["step"]) for c in results.judge(name).caught_by}
    last = [kind for kind in (*LAST, SIMULATOR) if kind in asked]
    return [*sorted(asked - set(last)), *last]


def _summary(mutants: Sequence[Mutant], results: Results) -> str:
    verdicts = Counter(
        results.judge(m.name).verdict if m.name in results.mutants else NOT_RUN for m in mutants
    )
    told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    green = sum(ended == "passed" for ended in results.control.values())
    took = sum(r.seconds for r in results.mutants.values())
    return (
        f"## The matrix\n\n{len(mutants)} mutants: **{told}**. Without any of them {green} of"
        f" {len(results.control)} checks are green; all were run together on"
        f" {results.control_date}, and a new mutant's by itself."
        f" All runs together took {took / 60:.0f} minutes.\n"
    )


def _matrix(mutants: Sequence[Mutant], results: Results, kinds: Sequence[str]) -> str:
    rows = [
        f"| mutant | {' | '.join(kinds)} | verdict |",
        f"|---|{'---|' * len(kinds)}---|",
    ]
    for mutant in mutants:
        judged = results.judge(mutant.name) if mutant.name in results.mutants else None
        cells = [_cell(judged, kind) for kind in kinds]
        verdict = judged.verdict if judged else NOT_RUN
        rows.append(f"| {mutant.name} | {' | '.join(cells)} | {verdict} |")
    return "\n".join(rows) + "\n"


def _cell(judged: Judged | None, kind: str) -> str:
    if judged is None:
        return ""
    caught = sum(kind_of(c["path"], c["step"]) == kind for c in judged.caught_by)
    asked = any(kind_of(check.partition(": ")[0]) == kind for check in judged.missed_by)
    return str(caught) if caught else ("·" if asked else "")


def _alone(mutants: Sequence[Mutant], results: Results) -> str:
    """What the simulator sees when nobody helps it."""
    rows = []
    for mutant in mutants:
        if mutant.name not in results.mutants:
            continue
        judged = results.judge(mutant.name)
        seen = [c for c in judged.caught_by if c["path"] == SIMULATOR]
        looked = any(kind_of(check.partition(": ")[0]) == SIMULATOR for check in judged.missed_by)
        if seen or looked:
            named = ", ".join(str(c["check"]) for c in seen) or "·"
            first = seen[0]["step"] if seen else ""
            rows.append((bool(seen), f"| {mutant.name} | {named} | {first} |"))
    caught = sum(is_seen for is_seen, _ in rows)
    intro = (
        f"`cartwright simulate --baskets {simulation.BASKETS} --seed {simulation.SEED}`, in stormy"
        f" weather, was asked about {len(rows)} of them, and saw **{caught}**. *First* is the first"
        " checkout with a violation to its name.\n"
    )
    table = ["| mutant | invariants | first |", "|---|---|---|", *(row for _, row in rows)]
    return "\n".join(["## The simulator alone\n", intro, *table]) + "\n"


def _who_caught(mutants: Sequence[Mutant], results: Results) -> str:
    parts = ["## Each of them, and who saw it\n"]
    for mutant in mutants:
        result = results.mutants.get(mutant.name)
        parts.append(f"### {mutant.name}\n\n{mutant.wrong} (`{mutant.file}`)\n")
        if result is None:
            parts.append(f"{NOT_RUN.capitalize()}.\n")
            continue
        judged = results.judge(mutant.name)
        if judged.verdict is not Verdict.CAUGHT:
            parts.append(f"**{judged.verdict.capitalize()}.** {judged.reason}".rstrip() + "\n")
        parts += _lines(judged)
        loaded = ", ".join(result.loaded_by) or "nobody"
        parts.append(f"\nLoaded by {loaded}; {result.date}, {result.commit}.\n")
    return "\n".join(parts)


def _lines(judged: Judged) -> list[str]:
    lines = [_line(caught) for caught in judged.caught_by[:LINES_MAX]]
    more = len(judged.caught_by) - len(lines)
    return [*lines, f"- and {more} more"] if more else lines


def _line(caught: dict[str, object]) -> str:
    checkers = caught["checkers"]
    found = f" ({', '.join(checkers)})" if isinstance(checkers, list) and checkers else ""
    step = f": *{caught['step']}*" if caught["step"] else ""
    return f"- `{caught['path']}`: {caught['check']}{step}{found}"
