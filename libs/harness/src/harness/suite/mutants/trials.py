"""Lets the catchers of one mutant, or of none, run over an overlay; says what each of them saw."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import stack
from harness.suite.mutants import overlay, simulation
from harness.suite.mutants.definition import AUDIT, SIMULATOR, Catcher, Mutant, catcher
from harness.suite.mutants.overlay import Overlay

# A shop starts in 11 s and its scenarios take a second or two each, unless they wait in vain.
TIME_LIMIT_S = 180.0
# What pytest does at its interrupt: ends fixtures, and with them the shop.
STOP_WITHIN_S = 45.0
FEATURES, FAULTS = "features/", "features/faults/"
# One file collects all features but those that need a shop with proxies.
COLLECTORS = {FEATURES: "features/test_features.py", FAULTS: "features/faults/test_faults.py"}
LOG_LINES_KEPT = 15


@dataclass(frozen=True, slots=True)
class Trial:
    """outcomes: as `mutants.watching` writes them. loaded_by: see `Overlay.loaded_by`.

    cut_short: whether the time limit ended it. said: last lines of a run without any outcome.
    """

    outcomes: list[dict[str, Any]]
    loaded_by: dict[str, list[str]]
    seconds: float
    cut_short: bool
    said: str


def try_mutant(
    mutant: Mutant, repo_root: Path, *, everybody: bool = False, time_limit_s: float = TIME_LIMIT_S
) -> Trial:
    """everybody: every feature and the audit, not only those that are to notice.

    Raises StaleMutant.
    """
    catchers = _everybody(repo_root, mutant.catchers) if everybody else mutant.catchers
    with tempfile.TemporaryDirectory(prefix="cartwright-mutant-") as made:
        folder = _passable(Path(made))
        spoilt = overlay.of_mutant(mutant, repo_root, folder / "overlay")
        return _let_run(spoilt, catchers, repo_root, folder, time_limit_s)


def try_nothing(mutants: Sequence[Mutant], repo_root: Path, time_limit_s: float) -> Trial:
    """The control: the same overlays, of all *mutants* at once, in which nothing is changed."""
    texts = {m.file: (repo_root / m.file).read_text() for m in mutants}
    catchers = list(dict.fromkeys(c for m in mutants for c in m.catchers))
    with tempfile.TemporaryDirectory(prefix="cartwright-mutant-") as made:
        folder = _passable(Path(made))
        copies = overlay.build(repo_root, folder / "overlay", texts)
        return _let_run(copies, catchers, repo_root, folder, time_limit_s)


def _passable(folder: Path) -> Path:
    folder.chmod(0o711)  # PostgreSQL, which refuses to be root, passes through.
    return folder


def _everybody(repo_root: Path, named: Iterable[Catcher]) -> list[Catcher]:
    features = sorted((repo_root / FEATURES).glob("*/*.feature"))
    paths = [str(path.relative_to(repo_root)) for path in features]
    return list(dict.fromkeys([*map(catcher, [*paths, AUDIT]), *named]))


def _let_run(
    spoilt: Overlay, catchers: Sequence[Catcher], repo_root: Path, folder: Path, limit_s: float
) -> Trial:
    began = time.monotonic()
    outcomes: list[dict[str, Any]] = []
    cut_short, said = False, ""
    for number, group in enumerate(_groups([c for c in catchers if c.path != SIMULATOR])):
        left_s = max(1.0, began + limit_s - time.monotonic())
        results = folder / f"outcomes-{number}.jsonl"
        ended, log = _pytest(group, spoilt, repo_root, results, left_s)
        found = [json.loads(line) for line in _lines(results)]
        cut_short |= not ended
        said = said or ("" if found else log)
        outcomes += found
    if any(c.path == SIMULATOR for c in catchers):
        ended, log = _run(
            simulation.command(folder),
            spoilt,
            repo_root,
            folder / "simulation.log",
            simulation.TIME_LIMIT_S,
        )
        found = simulation.outcomes(folder)
        cut_short |= not ended
        said = said or ("" if found else log)
        outcomes += found
    seconds = round(time.monotonic() - began, 1)
    return Trial(outcomes, spoilt.loaded_by(), seconds, cut_short, said)


def _groups(catchers: Sequence[Catcher]) -> list[list[Catcher]]:
    """One run of pytest each, so that there is never more than one shop: services' own tests
    first, as they take least; then what needs a shop, then what needs one with proxies.
    """
    own = [c for c in catchers if not c.path.startswith(FEATURES)]
    shop = [c for c in catchers if c not in own and not c.path.startswith(FAULTS)]
    proxied = [c for c in catchers if c not in own and c not in shop]
    return [group for group in (own, shop, proxied) if group]


def _files(group: Sequence[Catcher]) -> list[str]:
    """What pytest has to collect, the audit first: a later scenario may change a price, and what
    was sold before at the old one would look wrong.
    """

    def collector(path: str) -> str:
        if not path.endswith(".feature"):
            return path
        return COLLECTORS[FAULTS if path.startswith(FAULTS) else FEATURES]

    audit = catcher(AUDIT).path
    return sorted({collector(c.path) for c in group}, key=lambda path: (path != audit, path))


def _pytest(
    group: Sequence[Catcher], spoilt: Overlay, repo_root: Path, results: Path, limit_s: float
) -> tuple[bool, str]:
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "harness.suite.mutants.watch"),
        *("-p", "no:cacheprovider", "--outcomes", str(results)),
        *(word for c in group for word in ("--catcher", str(c))),
        *_files(group),
    ]
    return _run(command, spoilt, repo_root, results.with_suffix(".log"), limit_s)


def _run(
    command: Sequence[str], spoilt: Overlay, repo_root: Path, log: Path, limit_s: float
) -> tuple[bool, str]:
    """Whether it came to its end, and the last lines of what it said."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  Our own program and arguments.
            command,
            cwd=repo_root,
            env=_environment(spoilt, os.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        ended = _ends_within(process, limit_s)
    return ended, "\n".join(_lines(log)[-LOG_LINES_KEPT:])


def _environment(spoilt: Overlay, outside: Mapping[str, str]) -> dict[str, str]:
    """Without what the run of pytest that we may be in says to its own processes."""
    path = ":".join(map(str, spoilt.python_path))
    kept = {name: value for name, value in outside.items() if not name.startswith("PYTEST_")}
    return {**kept, "PYTHONPATH": path, stack.PYTHON_PATH_VARIABLE: path}


def _ends_within(process: "subprocess.Popen[bytes]", limit_s: float) -> bool:
    """A run that is over time, or that we are told to leave, ends, and its shop with it."""
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return False
    else:
        return True
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.exists() else []
