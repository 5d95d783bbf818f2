"""`cartwright doctor`: would `up` work here, and if not, what to do. Changes nothing."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil
import typer
from harness import stack
from harness.process import control, ports, remedies, unprivileged
from harness.process.home import Home
from harness.providers import emulator, postgres, valkey
from harness.topology import summary
from rich.console import Console
from rich.table import Table

from cartwright import location

PYTHON_MIN = (3, 11)
# A day of orders, logs and the write-ahead log of a load test.
DISK_FREE_MB_MIN = 1_000
# The stack takes 700 MB; PostgreSQL, the shoppers and a browser want some more.
MEMORY_FREE_MB_MIN = 1_000
# Docker gives a container 64 MB, which one parallel query of PostgreSQL can exceed.
SHARED_MEMORY_MB_MIN = 100

console = Console(highlight=False)


class Verdict(StrEnum):
    OK = "ok"
    NOTE = "note"  # `up` works; you may want to know.
    STOP = "stop"  # `up` would not work.


@dataclass(frozen=True)
class Finding:
    """subject: what was looked at. fact: what was found. remedy: what to do, if anything."""

    subject: str
    verdict: Verdict
    fact: str
    remedy: str = ""


def doctor(home: location.HomeOption = None) -> None:
    """Check what `up` needs. Exits with 1 if something would stop it."""
    findings = examine(location.named(home), stack.repository())
    table = Table(box=None, pad_edge=False, show_header=False)
    colours = {Verdict.OK: "green", Verdict.NOTE: "yellow", Verdict.STOP: "red"}
    for finding in findings:
        verdict = f"[{colours[finding.verdict]}]{finding.verdict}[/]"
        table.add_row(verdict, finding.subject, f"{finding.fact} {finding.remedy}".strip())
    console.print(table)
    if any(finding.verdict is Verdict.STOP for finding in findings):
        raise typer.Exit(1)


def examine(home: Home, repo_root: Path) -> list[Finding]:
    of_the_home: list[Callable[[], Finding]] = [
        lambda: check_emulator(home),
        lambda: check_leftovers(home),
        lambda: check_ports(home, repo_root),
    ]
    checks: list[Callable[[], Finding]] = [
        check_python,
        check_system,
        check_uv,
        check_postgres,
        check_valkey,
        check_account,
        lambda: check_disk(home),
        check_memory,
        check_shared_memory,
        *(of_the_home if location.is_ours(location.nearest(home)) else ()),
    ]
    return [check() for check in checks]


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    found = ".".join(map(str, version))
    if version[:2] >= PYTHON_MIN:
        return Finding("Python", Verdict.OK, found)
    return Finding("Python", Verdict.STOP, found, "Needs 3.11 or newer: `uv python install 3.12`.")


def check_system(platform: str = sys.platform) -> Finding:
    if platform == "linux":
        return Finding("system", Verdict.OK, platform)
    return Finding(
        "system", Verdict.STOP, platform, "The embedded stack needs Linux: use Docker Compose."
    )


def check_uv() -> Finding:
    command = shutil.which(emulator.find_uv())
    if command:
        found = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)  # noqa: S603  The uv on PATH.
        return Finding("uv", Verdict.OK, found.stdout.strip())
    return Finding(
        "uv",
        Verdict.STOP,
        "not found",
        "It installs the SNS and SQS emulator: https://docs.astral.sh/uv/",
    )


def check_postgres() -> Finding:
    try:
        program = postgres.package_dir() / "pginstall" / "bin" / "postgres"
    except postgres.PostgresDidNotStart as error:
        return Finding("PostgreSQL", Verdict.STOP, str(error))
    return _runs("PostgreSQL", program)


def check_valkey() -> Finding:
    try:
        return _runs("Valkey", valkey.program())
    except (ImportError, FileNotFoundError) as error:
        return Finding("Valkey", Verdict.STOP, str(error), "Run `uv sync`.")


def _runs(subject: str, program: Path) -> Finding:
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)  # noqa: S603  A program of one of our wheels.
    except (OSError, subprocess.CalledProcessError) as error:
        return Finding(
            subject, Verdict.STOP, f"does not run: {error}", "Run `uv sync --reinstall`."
        )
    return Finding(subject, Verdict.OK, told.stdout.strip())


def check_account(user_id: int | None = None) -> Finding:
    """Whether PostgreSQL, which refuses to be root or without a name, can be somebody.

    user_id: of whoever starts the shop.
    """
    try:
        account = unprivileged.account() if user_id is None else None
        name = account.name if account else pwd.getpwuid(user_id or os.geteuid()).pw_name
    except unprivileged.NoUnprivilegedUser as error:
        remedy = remedies.remedy("postgres", [str(error)])
        return Finding("account", Verdict.STOP, f"{error}.", remedy)
    except KeyError as error:
        return Finding(
            "account", Verdict.STOP, f"{error.args[0]}.", "Run as a user of /etc/passwd."
        )
    return Finding("account", Verdict.OK, f"PostgreSQL runs as {name}")


def check_emulator(home: Home) -> Finding:
    if (home.path / "emulator-env" / "bin" / "python").exists():
        return Finding("SNS and SQS", Verdict.OK, "the emulator is installed")
    try:
        cache = location.nearest(Home(emulator.cache_folder(emulator.find_uv())))
    except (OSError, subprocess.CalledProcessError) as error:
        return Finding("SNS and SQS", Verdict.STOP, f"uv knows no cache: {error}")
    if not location.is_ours(cache):
        return Finding(
            "SNS and SQS",
            Verdict.STOP,
            f"uv's cache: {cache} is not writable.",
            "Set UV_CACHE_DIR to a folder that is.",
        )
    return Finding(
        "SNS and SQS", Verdict.NOTE, "the first `up` downloads the emulator's packages (25 MB)"
    )


def check_disk(home: Home) -> Finding:
    existing = location.nearest(home)
    if not location.is_ours(existing):
        return Finding("disk", Verdict.STOP, f"{existing} is not writable.", location.ANOTHER_HOME)
    free_mb = shutil.disk_usage(existing).free // 1024**2
    return _enough("disk", free_mb, DISK_FREE_MB_MIN, "Free some space.", Verdict.STOP)


def check_memory() -> Finding:
    free_mb = psutil.virtual_memory().available // 1024**2
    return _enough("memory", free_mb, MEMORY_FREE_MB_MIN, "Stop something else.", Verdict.NOTE)


def check_shared_memory(place: Path = Path("/dev/shm")) -> Finding:  # noqa: S108  Looked at only.
    if not os.access(place, os.W_OK):
        return Finding(
            "shared memory", Verdict.STOP, f"{place} is not writable", "PostgreSQL needs it."
        )
    free_mb = shutil.disk_usage(place).free // 1024**2
    return _enough(
        "shared memory",
        free_mb,
        SHARED_MEMORY_MB_MIN,
        "Give the container --shm-size=256m.",
        Verdict.NOTE,
    )


def _enough(subject: str, free_mb: int, least_mb: int, remedy: str, otherwise: Verdict) -> Finding:
    fact = f"{free_mb} MB free"
    if free_mb >= least_mb:
        return Finding(subject, Verdict.OK, fact)
    return Finding(subject, otherwise, f"{fact}, {least_mb} MB are better", remedy)


def check_leftovers(home: Home) -> Finding:
    state = home.read_state() or {}
    if home.is_locked():
        return Finding("stack", Verdict.OK, f"running in {home.path}")
    left = [n for n, p in state.get("processes", {}).items() if control.same_process(p)]
    if left:
        fact = f"left over from a crash: {', '.join(left)}"
        return Finding("stack", Verdict.NOTE, fact, "The next `up` ends them.")
    return Finding("stack", Verdict.OK, "not running, nothing left over")


def check_ports(home: Home, repo_root: Path) -> Finding:
    if home.is_locked():
        return Finding("ports", Verdict.OK, "in use by this stack")
    usual = summary.validated(repo_root / summary.TOPOLOGY).ports
    taken = [f"{name} ({port})" for name, port in usual.items() if not ports.is_free(port)]
    if not taken:
        return Finding("ports", Verdict.OK, "all the usual ones are free")
    return Finding(
        "ports", Verdict.NOTE, f"taken: {', '.join(taken)}", "`up` will choose others and say so."
    )
