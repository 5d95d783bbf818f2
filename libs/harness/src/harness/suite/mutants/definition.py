"""What a mutant is, as it stands in ``mutants/<service>.yaml``. Runs nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

FOLDER = "mutants"
# The one file whose checks are asked of every checkout of a small run, by all checkers.
AUDIT = "features/audit/test_audit.py#test_a_small_run_holds"
# A stormy run of the simulator, each of whose invariants is a check.
SIMULATOR = "simulator"
MEMBERS = frozenset({"name", "wrong", "file", "old", "new", "catchers"})


class MalformedMutant(ValueError):
    """A definition lacks something, or has what nobody reads."""


class StaleMutant(ValueError):
    """The text that it replaces is not in its file once: the code has changed since."""


@dataclass(frozen=True, slots=True)
class Catcher:
    """Who is to notice: *path* of a feature or of a test file, and *words* in the check's name.

    Without words, everything in it.
    """

    path: str
    words: str = ""

    def __str__(self) -> str:
        return f"{self.path}#{self.words}" if self.words else self.path


@dataclass(frozen=True, slots=True)
class Mutant:
    """wrong: what it does that it should not, in a sentence. file: from the repository's root.

    old: what is replaced by new; it stands in the file exactly once.
    """

    name: str
    service: str
    wrong: str
    file: str
    old: str
    new: str
    catchers: tuple[Catcher, ...]

    def applied(self, source: str) -> str:
        """*source*, spoilt. Raises StaleMutant."""
        found = source.count(self.old)
        if found != 1:
            raise StaleMutant(f"{self.name}: its text is {found} times in {self.file}, not once")
        return source.replace(self.old, self.new)


def read_all(repo_root: Path) -> list[Mutant]:
    """By service, as they are written. Raises MalformedMutant."""
    mutants = [
        _read(entry, file.stem)
        for file in sorted((repo_root / FOLDER).glob("*.yaml"))
        for entry in yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
    ]
    twice = [name for name, count in Counter(m.name for m in mutants).items() if count > 1]
    if twice:
        raise MalformedMutant(f"two mutants of one name: {', '.join(twice)}")
    return mutants


def named(mutants: Sequence[Mutant], names: Sequence[str]) -> list[Mutant]:
    """Those of *names*; all, if there are none. Raises MalformedMutant for a name of nobody."""
    unknown = set(names) - {mutant.name for mutant in mutants}
    if unknown:
        raise MalformedMutant(f"no such mutant: {', '.join(sorted(unknown))}")
    return [mutant for mutant in mutants if mutant.name in names or not names]


def looked_at_by(mutants: Sequence[Mutant], part: str) -> list[Mutant]:
    """Of *mutants* those with a catcher that has *part* in its path, and only such catchers."""
    narrowed = [
        replace(m, catchers=tuple(c for c in m.catchers if part in c.path)) for m in mutants
    ]
    return [mutant for mutant in narrowed if mutant.catchers]


def catcher(text: str) -> Catcher:
    """From ``path#words``; ``audit`` is the small run that all checkers look at, ``simulator`` a
    whole one, stormy.
    """
    path, _, words = (AUDIT if text == "audit" else text).partition("#")
    return Catcher(path, words)


def _read(entry: dict[str, Any], service: str) -> Mutant:
    if entry.keys() != MEMBERS:
        wrong = ", ".join(sorted(entry.keys() ^ MEMBERS))
        raise MalformedMutant(f"{service}: {entry.get('name', 'a mutant')}: see {wrong}")
    catchers = tuple(catcher(text) for text in entry["catchers"])
    if not catchers or entry["old"] == entry["new"]:
        raise MalformedMutant(f"{entry['name']}: it changes nothing, or nobody is to notice")
    return Mutant(**{**entry, "service": service, "catchers": catchers})
