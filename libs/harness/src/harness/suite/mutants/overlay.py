"""A repository that looks like ours but for the packages that are spoilt. Changes none of ours.

Everything is a link to the real thing, except the packages with a changed file: those are copies,
so that what they find beside themselves (contracts, migrations) is found as ever.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.suite.mutants.definition import Mutant

SOURCES = "src"
# Said by the changed file itself when it is imported: who has not loaded it survived nothing.
MARKER = """

def _say_that_this_was_loaded() -> None:
    import os

    with open("/proc/self/comm") as comm:
        name = comm.read().strip()
    os.close(os.open(f"{folder}/{{name}}.{{os.getpid()}}", os.O_CREAT | os.O_WRONLY, 0o600))


_say_that_this_was_loaded()
"""
# What a program does then; who is killed at it has loaded the file all the same.
MAIN = '\n\nif __name__ == "__main__":'


@dataclass(frozen=True, slots=True)
class Overlay:
    """tree: the repository's double. python_path: goes before everything else.

    marks: by changed file, the folder where each process that loads it leaves its name.
    """

    tree: Path
    python_path: tuple[Path, ...]
    marks: Mapping[str, Path]

    def loaded_by(self) -> dict[str, list[str]]:
        """By changed file, the names of the processes that have loaded it, each once."""
        return {
            file: sorted({mark.name.rpartition(".")[0] for mark in folder.iterdir()})
            for file, folder in self.marks.items()
        }


def of_mutant(mutant: Mutant, repo_root: Path, folder: Path) -> Overlay:
    """Raises StaleMutant."""
    source = (repo_root / mutant.file).read_text()
    return build(repo_root, folder, {mutant.file: mutant.applied(source)})


def build(repo_root: Path, folder: Path, changed: Mapping[str, str]) -> Overlay:
    """changed: texts by file, each within a package under some ``src``. folder: is made."""
    tree, marks = folder / "tree", folder / "loaded"
    packages = {_package(Path(file)) for file in changed}
    _link_all_but(repo_root.resolve(), tree, packages)
    marked: dict[str, Path] = {}
    for file, text in changed.items():
        marked[file] = marks / file.replace("/", ".")
        marked[file].mkdir(parents=True)
        body, main, rest = text.partition(MAIN)
        (tree / file).write_text(body + MARKER.format(folder=marked[file]) + main + rest)
    paths = sorted({tree / package.parent for package in packages})
    return Overlay(tree, tuple(paths), marked)


def _package(file: Path) -> Path:
    """``services/order-service/src/order`` of a file somewhere below it."""
    return Path(*file.parts[: file.parts.index(SOURCES) + 2])


def _link_all_but(real: Path, double: Path, copied: set[Path], below: Path = Path()) -> None:
    """*copied* are copies, what leads to them are folders of our own, the rest are links."""
    double.mkdir(parents=True)
    for entry in real.iterdir():
        here = below / entry.name
        if here in copied:
            shutil.copytree(
                entry, double / entry.name, ignore=shutil.ignore_patterns("__pycache__")
            )
        elif any(here in package.parents for package in copied):
            _link_all_but(entry, double / entry.name, copied, here)
        else:
            (double / entry.name).symlink_to(entry)
