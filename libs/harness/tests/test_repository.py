"""What must be true of the repository itself: contracts, problems and sizes, read as text."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from harness import stack

ROOT = stack.repository()
# One process holds a group, and says so.
GROUPED = """
import os
import pytest

@pytest.mark.xdist_group("together")
@pytest.mark.parametrize("number", range(6))
def test_one_of_them(number, pytestconfig):
    (pytestconfig.rootpath / os.environ["PYTEST_XDIST_WORKER"]).touch()
"""
TOPOLOGY = stack.topology()
SERVICES = sorted(path.name.removesuffix("-service") for path in ROOT.glob("services/*-service"))
# Longer modules need a reason; none has one. Tests may be as long as what they test.
MODULE_LINES_MAX = 300
MADE = {"node_modules", "__pycache__", "reports"}
PUBLISHED = sorted(
    (name, event_type)
    for name, service in TOPOLOGY.services.items()
    if service.topic
    for event_type in TOPOLOGY.topics[service.topic]
)


def files(*patterns: str) -> list[Path]:
    """Files of ours, not of the tools that work here; without git, which a download has not."""
    found: list[Path] = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name[0] != "." and name not in MADE]
        paths = [(Path(folder) / name).relative_to(ROOT) for name in names]
        found += [ROOT / path for path in paths if any(fnmatch(str(path), p) for p in patterns)]
    return found


def refusals(path: Path) -> Iterator[str]:
    """Names of the refusal classes in a module: those with a constant title."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and any(
            isinstance(line, ast.Assign) and getattr(line.targets[0], "id", "") == "title"
            for line in node.body
        ):
            yield node.name


def test_the_topology_names_every_service() -> None:
    assert sorted(TOPOLOGY.services) == SERVICES


@pytest.mark.parametrize(("service", "event_type"), PUBLISHED, ids=lambda value: str(value))
def test_every_published_event_has_a_schema(service: str, event_type: str) -> None:
    path = ROOT / f"services/{service}-service/contract/events/{event_type}.v1.json"

    schema = json.loads(path.read_text(encoding="utf-8"))

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["type"] == "object"


@pytest.mark.parametrize("service", SERVICES)
def test_no_schema_describes_an_event_nobody_publishes(service: str) -> None:
    described = ROOT.glob(f"services/{service}-service/contract/events/*.v1.json")

    assert {path.name.removesuffix(".v1.json") for path in described} == {
        event_type for name, event_type in PUBLISHED if name == service
    }


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_its_papers(service: str) -> None:
    folder = ROOT / f"services/{service}-service"

    for name in ("README.md", "contract/openapi.yaml", "migrations/env.py"):
        assert (folder / name).exists(), f"{folder.name}/{name}"


def test_every_problem_has_a_page() -> None:
    modules = files("services/*/src/*.py", "libs/python-common/src/*.py")
    names = {name for path in modules for name in refusals(path)} - {"Refusal"}
    pages = {path.stem for path in ROOT.glob("libs/python-common/src/common/problem_texts/*.md")}

    wanted = {re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower() for name in names}

    assert wanted - pages == set()


def test_no_module_is_too_long() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in files("*/src/*.py", "infra/*.py", "features/*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > MODULE_LINES_MAX
    }

    assert long == {}


def test_lock_files_name_public_registries_only() -> None:
    public = {"pypi.org", "files.pythonhosted.org", "registry.npmjs.org"}
    sources = re.compile(r'(?:\burl|registry) = "https?://([^/"]+)|"resolved": "https?://([^/"]+)')

    for path in files("*uv.lock", "*package-lock.json"):
        hosts = {a or b for a, b in sources.findall(path.read_text(encoding="utf-8"))}
        assert hosts <= public, path


def test_each_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")

    for path in (ROOT / "docs" / "adr").glob("0*.md"):
        assert f"({path.name})" in index


def test_the_tests_of_a_group_stay_in_one_process(tmp_path: Path) -> None:
    """With some versions they do not, silently: each process would start its own shop for them."""
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text("utf-8"))
    (tmp_path / "test_grouped.py").write_text(GROUPED)

    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "test_grouped.py"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )

    assert len(list(tmp_path.glob("gw*"))) == 1
