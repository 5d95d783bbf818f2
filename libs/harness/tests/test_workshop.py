"""`make quick` and `make unit ONLY=…`: which packages there are, and which tests are quick."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from harness import stack

ROOT = stack.repository()
WORKSPACE = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["uv"]["workspace"]
FOLDERS = sorted(
    project.parent.relative_to(ROOT)
    for member in WORKSPACE["members"]
    for project in ROOT.glob(f"{member}/pyproject.toml")
)
PACKAGES = {folder.name.removesuffix("-service"): folder for folder in FOLDERS} | {
    # Its tests run everywhere; what it needs itself has an environment of its own.
    "loadtests": Path("loadtests"),
}
ONE_OF_EACH = """
import subprocess
import sys

import pytest

@pytest.fixture
def database_url():
    raise AssertionError("nobody asks for a database")

def test_of_a_rule():
    pass

def test_of_a_store(database_url):
    pass

@pytest.mark.exhaustive
def test_of_everything():
    raise AssertionError("nobody has the time")

def test_of_another_process():
    subprocess.run([sys.executable, "-c", ""], check=True)
"""


def dry_run(target: str, only: str) -> "subprocess.CompletedProcess[str]":
    """What make would do; it does nothing."""
    make = shutil.which("make") or "make"
    return subprocess.run(
        [make, "--no-print-directory", "-n", target, f"ONLY={only}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("target", ["quick", "unit"])
def test_packages_of_the_workspace_are_tested_alone(target: str) -> None:
    folders = [str(folder / "tests") for folder in PACKAGES.values()]

    told = [dry_run(target, name).stdout.splitlines()[-1].split() for name in PACKAGES]

    assert [[word for word in one if word.endswith("/tests")] for one in told] == [
        [folder] for folder in folders
    ]


def test_common_is_the_library_that_services_import() -> None:
    assert "libs/python-common/tests" in dry_run("quick", "common").stdout


def test_a_package_that_is_none_is_refused_with_those_that_exist() -> None:
    refused = dry_run("quick", "ordr")

    assert refused.returncode != 0
    (line,) = refused.stderr.splitlines()
    assert "ONLY=ordr" in line
    assert set(PACKAGES) == set(line.partition("There are ")[2].partition(".")[0].split())


@pytest.mark.parametrize("how", [[], ["-n", "1"]], ids=["alone", "with a worker"])
def test_a_quick_run_leaves_out_what_is_slow_or_makes_a_process(
    tmp_path: Path, how: list[str]
) -> None:
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "test_each.py").write_text(ONE_OF_EACH)

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--quick", *how, "test_each.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout
    assert "needs another process: subprocess.Popen" in ran.stdout
    assert "1 passed, 1 skipped" in ran.stdout
