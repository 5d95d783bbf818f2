"""Runs the test suites again and again on worse and worse machines, and counts who fails.

`python -m harness.suite.flakes --rounds 20`: each round is one suite under one condition. A test
that fails anywhere is a bug of the test or of what it tests. Exit code 1 if any did. Mends nothing.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness import stack

# Ten times what a suite takes on a quiet machine: a round that hangs ends, and is told.
ROUND_WITHIN_S = 3600
# A shell as developers have them, all at once: whoever heeds one of these fails.
HOSTILE = {
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "C",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "AWS_PROFILE": "work",
    "PGSSLMODE": "require",
    "PGOPTIONS": "-c statement_timeout=1",
    "OTEL_TRACES_SAMPLER": "always_off",
    "GIT_DIR": "/nowhere",
    "UV_OFFLINE": "1",  # Who installs has to heed a proxy, but not to need one.
}
SPIN = "while True: pass"
# Characters of what a suite wrote before it broke down.
OUTPUT_SHOWN = 4_000


@dataclass(frozen=True, slots=True)
class Condition:
    """What is bad about the machine. shuffled: the order of tests, by a seed that is printed."""

    name: str
    busy_loops: int = 0
    cores: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    umask: int = 0o022
    shuffled: bool = False


CONDITIONS = (
    Condition("quiet"),
    Condition("beside two busy loops", busy_loops=2),
    Condition("in random order", shuffled=True),
    Condition("on one core", cores="0"),
    Condition("in a hostile shell", environment=HOSTILE, umask=0o077),
)
SUITES: Mapping[str, Sequence[str]] = {
    "unit": (
        *("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"),
        *("libs", "services", "simulators", "loadtests"),
    ),
    "acceptance": ("-n", "2", "features"),
}


@dataclass(frozen=True, slots=True)
class Failure:
    test: str
    where: str  # condition and seed
    output: str


@dataclass(frozen=True, slots=True)
class Round:
    """failures: of its tests, or one of the suite itself if it broke down."""

    tests: int
    failures: Sequence[Failure]


def run_round(
    arguments: Sequence[str], condition: Condition, seed: int, folder: Path, root: Path
) -> Round:
    """One suite, once. arguments: pytest's. folder: for its results. root: where it runs."""
    junit, log = folder / "junit.xml", folder / "output.txt"
    where = condition.name + (f", seed {seed}" if condition.shuffled else "")
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={junit}", *arguments]
    if condition.shuffled:
        command += ["--random-order", f"--random-order-seed={seed}"]
    if condition.cores:
        command = ["taskset", "-c", condition.cores, *command]
    with _busy(condition.busy_loops), log.open("w") as output:
        code = subprocess.run(  # noqa: S603  Our own program and arguments.
            command,
            cwd=root,
            env=os.environ | dict(condition.environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            umask=condition.umask,
            timeout=ROUND_WITHIN_S,
            check=False,
        ).returncode
    tests, failures = read_junit(junit, where)
    if code and not failures:
        failures = [Failure("the suite itself", where, log.read_text()[-OUTPUT_SHOWN:])]
    return Round(tests, failures)


def read_junit(path: Path, where: str) -> tuple[int, list[Failure]]:
    """How many tests ran, and those that failed; nothing if the suite did not get so far."""
    if not path.exists():
        return 0, []
    cases = list(ET.parse(path).iter("testcase"))  # noqa: S314  Our own pytest's.
    return len(cases), [
        Failure(f"{case.get('classname')}.{case.get('name')}", where, found.text or "")
        for case in cases
        for found in (*case.findall("failure"), *case.findall("error"))
    ]


@contextmanager
def _busy(loops: int) -> Iterator[None]:
    with ExitStack() as held:
        for _ in range(loops):
            spinning = subprocess.Popen([sys.executable, "-c", SPIN])  # noqa: S603  Our own.
            held.callback(spinning.wait)
            held.callback(spinning.kill)
        yield


def table(failures: Sequence[Failure]) -> Table:
    """Test × failures, the most frequent first, with where it failed."""
    shown = Table("failures", "test", "where")
    by_test: dict[str, list[str]] = {}
    for failure in failures:
        by_test.setdefault(failure.test, []).append(failure.where)
    for test, where in sorted(by_test.items(), key=lambda item: -len(item[1])):
        shown.add_row(str(len(where)), escape(test), "; ".join(sorted(set(where))))
    return shown


def show(console: Console, failure: Failure) -> None:
    """As it is: a test's name may hold what rich takes for markup."""
    console.print(f"{failure.test} ({failure.where})", style="red", markup=False, highlight=False)
    console.print(failure.output, markup=False, highlight=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="of each suite")
    parser.add_argument("--suite", choices=SUITES, action="append", help="both, if none is named")
    parser.add_argument("--seed", type=int, default=1, help="of the first round's order")
    options = parser.parse_args()
    console, root = Console(), stack.repository()
    began = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    failures: list[Failure] = []
    for suite in options.suite or SUITES:
        for number, condition in enumerate(islice(cycle(CONDITIONS), options.rounds)):
            folder = root / "reports" / f"flakes-{began}" / f"{suite}-{number}"
            folder.mkdir(parents=True)
            one = run_round(SUITES[suite], condition, options.seed + number, folder, root)
            console.print(
                f"{suite} {number + 1} of {options.rounds}, {condition.name}:"
                f" {one.tests} tests, {len(one.failures)} failed",
                highlight=False,
            )
            for failure in one.failures:
                if failure.test not in {known.test for known in failures}:
                    show(console, failure)
            failures += one.failures
    console.print(table(failures) if failures else "No test failed.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
