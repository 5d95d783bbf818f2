"""What became of each mutant, kept from run to run in ``mutants/results.json``; and the verdict."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from harness.suite.mutants.definition import FOLDER, Mutant
from harness.suite.mutants.trials import Trial

FILE = f"{FOLDER}/results.json"
PASSED, FAILED = "passed", "failed"
# What is kept of a check that did not pass.
KEPT = ("path", "check", "ended", "step", "checkers", "why")


class Verdict(StrEnum):
    CAUGHT = "caught"
    SURVIVED = "survived"  # It was there, all checks looked, none saw it.
    INCONCLUSIVE = "inconclusive"  # It was not loaded, or those who were to look could not.


@dataclass(frozen=True, slots=True)
class Result:
    """A trial as it is kept. outcomes: of what passed the names, of all else KEPT."""

    outcomes: list[dict[str, Any]]
    loaded_by: list[str]
    cut_short: bool
    said: str
    seconds: float
    date: str
    commit: str


@dataclass(frozen=True, slots=True)
class Judged:
    """reason: why it is inconclusive. missed_by, not_judged: ids of checks."""

    verdict: Verdict
    reason: str
    caught_by: list[dict[str, Any]]
    missed_by: list[str]
    not_judged: list[str]


@dataclass(slots=True)
class Results:
    """control: how each check ended in the shop in which nothing is changed."""

    control: dict[str, str] = field(default_factory=dict)
    control_date: str = ""
    mutants: dict[str, Result] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Empty if there is no such file."""
        if not path.exists():
            return cls()
        kept = json.loads(path.read_text())
        control = {name: how for how, names in kept["control"].items() for name in names}
        mutants = {name: Result(**entry) for name, entry in kept["mutants"].items()}
        return cls(control, kept["control_date"], mutants)

    def write(self, path: Path) -> None:
        """A line a check of the control, and a line a mutant, so that a difference is readable."""
        endings = sorted(set(self.control.values()))
        control = {how: [n for n, ended in self.control.items() if ended == how] for how in endings}
        lines = ",\n".join(
            f"{_json(name)}: {_json(asdict(result))}"
            for name, result in sorted(self.mutants.items())
        )
        path.write_text(
            f'{{"control_date": {_json(self.control_date)},\n"control": {_by_line(control)},\n'
            f'"mutants": {{\n{lines}\n}}}}\n'
        )

    def take_control(self, trial: Trial, *, of_all: bool) -> list[str]:
        """Keep how the checks ended without any mutant; returns those that did not pass.

        of_all: every check of every mutant was run. Else the date stays that of the last such run.
        """
        ended = {check_id(outcome): str(outcome["ended"]) for outcome in trial.outcomes}
        self.control |= ended
        if of_all:
            self.control_date = _today()
        return sorted(name for name, how in ended.items() if how != PASSED)

    def take(self, mutant: Mutant, trial: Trial, commit: str, *, part: str = "") -> Judged:
        """Keep what became of *mutant*.

        part: what the path of every catcher had in it; what others saw before is kept then.
        """
        before = self.mutants.get(mutant.name)
        others = [o for o in before.outcomes if part not in o["path"]] if before else []
        self.mutants[mutant.name] = Result(
            outcomes=others + [_kept(outcome) for outcome in trial.outcomes],
            loaded_by=trial.loaded_by[mutant.file],
            cut_short=trial.cut_short,
            said=trial.said,
            seconds=trial.seconds,
            date=_today(),
            commit=commit,
        )
        return self.judge(mutant.name)

    def judge(self, name: str) -> Judged:
        """Only a check that passes without the mutant, and saw something wrong with it, counts."""
        result = self.mutants[name]
        sound = [o for o in result.outcomes if self.control.get(check_id(o)) == PASSED]
        caught = [o for o in sound if o["ended"] == FAILED]
        missed = [check_id(o) for o in sound if o["ended"] == PASSED]
        unjudged = [check_id(o) for o in result.outcomes if o not in caught]
        unjudged = sorted(set(unjudged) - set(missed))
        verdict, reason = _verdict(result, caught, missed, unjudged)
        return Judged(verdict, reason, caught, missed, unjudged)


def _verdict(
    result: Result,
    caught: Sequence[dict[str, Any]],
    missed: Sequence[str],
    unjudged: Sequence[str],
) -> tuple[Verdict, str]:
    if not result.loaded_by:
        return Verdict.INCONCLUSIVE, f"no process loaded it. {result.said}".strip()
    if caught:
        return Verdict.CAUGHT, ""
    if result.cut_short:
        return Verdict.INCONCLUSIVE, "the time was over before anybody saw it"
    if unjudged or not missed:
        why = f"{len(unjudged)} checks could not look, or are not green without it"
        return Verdict.INCONCLUSIVE, f"{why}. {result.said}".strip()
    return Verdict.SURVIVED, ""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _by_line(names: Mapping[str, Sequence[str]]) -> str:
    lists = (
        f"{_json(how)}: [\n" + ",\n".join(map(_json, sorted(of))) + "\n]"
        for how, of in names.items()
    )
    return "{" + ",\n".join(lists) + "}"


def check_id(outcome: dict[str, Any]) -> str:
    return f"{outcome['path']}: {outcome['check']}"


def _kept(outcome: dict[str, Any]) -> dict[str, Any]:
    names = KEPT[:3] if outcome["ended"] == PASSED else KEPT
    return {name: outcome[name] for name in names}


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def commit_of(repo_root: Path) -> str:
    """Short, with a ``+`` if something is not committed; empty outside a repository."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude", "*"]
    found = subprocess.run(  # noqa: S603  Our own arguments.
        command, cwd=repo_root, capture_output=True, text=True, check=False
    )
    return found.stdout.strip()
