"""`python -m harness.suite.mutants [NAME …]`: plant each bug alone, and see who notices.

Exit code 1 if a mutant survives or nobody could tell, or if the control is not green.
"""

import argparse
import sys
from pathlib import Path

from harness import stack
from harness.suite.mutants import definition, page, trials
from harness.suite.mutants.definition import Mutant
from harness.suite.mutants.results import FILE, PASSED, Results, Verdict, check_id, commit_of

# Of the control, in which every catcher of every mutant runs once.
CONTROL_LIMIT_S = 1800.0
DOCUMENT = "docs/mutants.md"


def main() -> int:
    options = _options()
    repo_root = stack.repository()
    mutants = definition.read_all(repo_root)
    chosen = definition.looked_at_by(definition.named(mutants, options.names), options.catchers)
    if options.list:
        _tell("\n".join(f"{m.service:13} {m.name:36} {m.wrong}" for m in chosen))
        return 0
    path = Path(options.results or repo_root / FILE)
    results = Results.read(path)
    kept = path if options.write or options.results else None
    sound = True
    if not options.skip_control:
        sound = _control(results, kept, chosen, repo_root, of_all=chosen == mutants)
    if not options.only_control:
        for mutant in chosen:
            whom = {"everybody": options.all_catchers, "part": options.catchers}
            sound &= _one(results, kept, mutant, repo_root, **whom)
    if options.write:
        (repo_root / DOCUMENT).write_text(page.render(mutants, results))
    return 0 if sound else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m harness.suite.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which mutants; all, if none")
    parser.add_argument(
        "--catchers", default="", metavar="PART", help="only those with this in their path"
    )
    parser.add_argument("--list", action="store_true", help="only say which there are")
    parser.add_argument(
        "--all-catchers", action="store_true", help="every feature and the audit look at each"
    )
    parser.add_argument("--skip-control", action="store_true", help="believe the last control")
    parser.add_argument("--only-control", action="store_true", help="nothing is planted")
    parser.add_argument("--write", action="store_true", help=f"keep results, and write {DOCUMENT}")
    parser.add_argument("--results", metavar="FILE", help=f"kept there instead of {FILE}")
    return parser.parse_args()


def _control(
    results: Results, kept: Path | None, mutants: list[Mutant], repo_root: Path, *, of_all: bool
) -> bool:
    trial = trials.try_nothing(mutants, repo_root, CONTROL_LIMIT_S)
    red = results.take_control(trial, of_all=of_all)
    if kept:
        results.write(kept)
    unloaded = [file for file, names in trial.loaded_by.items() if not names]
    _tell(f"control: {len(trial.outcomes)} checks, {len(red)} not green, {trial.seconds:.0f} s")
    for outcome in trial.outcomes:
        if check_id(outcome) in red:
            _tell(f"  {outcome['ended']}: {check_id(outcome)}: {outcome['why']}")
    for file in unloaded:
        _tell(f"  nobody loaded {file}")
    return bool(trial.outcomes) and not red and not unloaded


def _one(
    results: Results,
    kept: Path | None,
    mutant: Mutant,
    repo_root: Path,
    *,
    everybody: bool,
    part: str,
) -> bool:
    trial = trials.try_mutant(mutant, repo_root, everybody=everybody)
    judged = results.take(mutant, trial, commit_of(repo_root), part=part)
    if kept:
        results.write(kept)
    by = f" by {len(judged.caught_by)} of {len(trial.outcomes)}" if judged.caught_by else ""
    _tell(f"{mutant.name}: {judged.verdict}{by}, {trial.seconds:.0f} s {judged.reason}".rstrip())
    for outcome in trial.outcomes:
        if outcome["ended"] != PASSED:
            where = ": ".join(filter(None, (check_id(outcome), outcome["step"])))
            _tell(f"  {outcome['ended']}: {where}: {outcome['why']}")
    return judged.verdict is Verdict.CAUGHT


def _tell(words: str) -> None:
    print(words, flush=True)  # noqa: T201  What this command is for.


if __name__ == "__main__":
    sys.exit(main())
