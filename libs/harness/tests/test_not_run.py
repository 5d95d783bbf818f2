"""What a run leaves out is said by name and number; and why there was none, in a sentence."""

import subprocess
import sys
from pathlib import Path

import pytest
from harness import stack

CONFTEST = """
from harness.suite.not_run import NotRun

def pytest_configure(config):
    config.pluginmanager.register(NotRun())
"""
TEST = """
import pytest

@pytest.mark.parametrize("moment", ["before [x]", "after@it"])
def test_the_process_dies(moment):
    pytest.skip("external has no shops of its own")

@pytest.fixture
def shop():
    pytest.skip("external has no store of metrics")

def test_no_secret_is_a_figure(shop): ...

def test_all_is_well(): ...
"""


@pytest.mark.parametrize("processes", ["0", "2"])
def test_what_was_skipped_is_named_with_its_number_and_reason(
    tmp_path: Path, processes: str
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_x.py").write_text(TEST)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-ra",
        "-p",
        "no:schemathesis",
        "-n",
        processes,
    ]

    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    said = ran.stdout.splitlines()
    at = said.index("2 not run: external has no shops of its own")
    assert said[at + 1] == "  The process dies ×2"
    at = said.index("1 not run: external has no store of metrics")
    assert said[at + 1] == "  No secret is a figure"
    assert sum("not run" in line for line in said) == 2
    assert "SKIPPED" not in ran.stdout


@pytest.mark.parametrize("processes", ["0", "2"])
def test_scenarios_whose_shop_is_not_there_say_so_and_nothing_else(processes: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "features", "-k", "happy_path"]

    ran = subprocess.run(
        [*command, "--shop", "gone.json", "-n", processes, "--report", ""],
        cwd=stack.repository(),
        capture_output=True,
        text=True,
    )

    assert ran.returncode == pytest.ExitCode.USAGE_ERROR
    assert "gone.json: [Errno 2] No such file or directory" in ran.stdout
    assert "Traceback" not in ran.stdout + ran.stderr
    assert "INTERNALERROR" not in ran.stdout
