"""What an image is built from is enough: installed from it alone, everything imports.

Without Docker: the same files, by the same commands of uv, into an environment of its own.
"""

import json
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from importlib.metadata import distributions
from pathlib import Path

import pytest
from harness import stack
from harness.process import surroundings
from harness.topology.summary import SERVICES
from packaging.markers import Marker
from test_repository import files

ROOT = stack.repository()
DOCKERFILES = {
    name: (ROOT / name / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    for name in ("services", "simulators", "frontend")
}
# Those of Python; the third is the storefront's.
INSTALLED_BY_UV = ("services", "simulators")
IGNORED = {"services": ".dockerignore", "simulators": "simulators/Dockerfile.dockerignore"}
TOOLS = "tools"
UV = ROOT / ".venv" / "bin" / "uv"
IMPORT_ALL = """
import importlib, pkgutil, sys
for package in sys.argv[1:]:
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, package + "."):
        if not module.name.startswith(("common.testing", "common.gunicorn_config")):
            importlib.import_module(module.name)
print("all of it")
"""


def instructions(dockerfile: str, name: str) -> list[str]:
    """The arguments of every instruction of that name."""
    lines = DOCKERFILES[dockerfile].splitlines()
    return [line.split(maxsplit=1)[1] for line in lines if line.startswith(f"{name} ")]


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What `docker build` sends: the files that .dockerignore lets through."""
    made = {}
    for dockerfile, ignored in IGNORED.items():
        folder = made[dockerfile] = tmp_path_factory.mktemp("context")
        lines = (ROOT / ignored).read_text(encoding="utf-8").splitlines()
        wanted = [line[1:] for line in lines if line.startswith("!")]
        for path in files("*"):
            relative = path.relative_to(ROOT)
            parts = (relative, *relative.parents)
            if any(fnmatch(str(part), name) for name in wanted for part in parts):
                (folder / relative).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder / relative)
    return made


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all images: uv takes away what the next one does not name, and what is the same
    need not be installed and compiled again.
    """
    return tmp_path_factory.mktemp("image") / "venv"


@pytest.mark.parametrize("image", [*SERVICES, TOOLS])
def test_an_image_has_all_that_its_programs_import(
    image: str, contexts: dict[str, Path], venv: Path, tmp_path: Path
) -> None:
    dockerfile = "simulators" if image == TOOLS else "services"
    by_lock_file, with_sources, listing = [
        command.replace("${SERVICE}", image)
        .replace('"', "")
        .replace("--directory /src", "")
        .replace("/app/", f"{tmp_path}/")
        .split()
        for run in instructions(dockerfile, "RUN")
        for command in re.findall(r"uv ((?:sync|export) .*)", run)
    ]
    # This Python, as it is this one's markers that are asked below.
    environment = surroundings.of_installers() | {
        "UV_PROJECT_ENVIRONMENT": str(venv),
        "UV_PYTHON": sys.executable,
    }
    # The first of them sees nothing else: its layer is that of all sources.
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(contexts[dockerfile] / name, alone)

    everything = contexts[dockerfile]
    for folder, arguments in (
        *((alone, by_lock_file), (everything, with_sources), (everything, listing)),
    ):
        made = subprocess.run(
            [UV, *arguments], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert made.returncode == 0, made.stderr
    packages = ["simulators.payment_provider", "simulators.mailbox", "harness.providers"]
    imported = subprocess.run(
        [venv / "bin" / "python", "-I", "-c", IMPORT_ALL]
        + (packages if image == TOOLS else [image, "common", "card_numbers"]),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert imported.stdout == "all of it\n", imported.stderr
    if image == TOOLS:
        assert "nowhere.json" in commanded(everything, venv, tmp_path)
    assert listed(tmp_path / "sbom.cdx.json") == installed(venv)


def commanded(context: Path, venv: Path, place: Path) -> str:
    """What `cartwright simulate` says beside what the image copies, of a shop that is not there."""
    app = place / "app"
    # Of the last stage, and from the context.
    last = DOCKERFILES["simulators"].rpartition("\nFROM ")[2]
    for source, target in re.findall(r"^COPY (?!--)(\S+) (\S+)$", last, re.MULTILINE):
        (app / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(context / source, app / target)
    app.mkdir(exist_ok=True)
    done = subprocess.run(
        [
            *(venv / "bin" / "cartwright", "simulate", "--shop", "nowhere.json"),
            *("--report-dir", str(place / "report"), "--home", str(place / "home")),
        ],
        cwd=app,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr  # Not judged, which is said; no traceback.
    return done.stdout


def listed(sbom: Path) -> set[tuple[str, str]]:
    """Names and versions, without those that other systems need, which the lock file has, too."""
    document = json.loads(sbom.read_bytes())
    return {
        (component["name"], component["version"])
        for component in (document["metadata"]["component"], *document["components"])
        if all(
            Marker(has["value"]).evaluate()
            for has in component.get("properties", ())
            if has["name"] == "uv:package:marker"
        )
    }


def installed(venv: Path) -> set[tuple[str, str]]:
    (site,) = (venv / "lib").glob("python*/site-packages")
    return {
        (re.sub(r"[-_.]+", "-", dist.name).lower(), dist.version)
        for dist in distributions(path=[str(site)])
    }


@pytest.mark.parametrize("service", SERVICES)
def test_what_an_image_copies_is_there_to_be_copied(
    service: str, contexts: dict[str, Path]
) -> None:
    copied = re.findall(r"--from=sources /src/(\S+)", DOCKERFILES["services"])

    gone = [
        place
        for place in copied
        if not (contexts["services"] / place.replace("${SERVICE}", service)).is_dir()
    ]

    assert (bool(copied), gone) == (True, [])


@pytest.mark.parametrize("dockerfile", INSTALLED_BY_UV)
def test_images_are_built_from_a_pinned_python_with_the_uv_of_make(dockerfile: str) -> None:
    (uv,) = re.findall(r"uv==([\d.]+)", DOCKERFILES[dockerfile])
    stages = {stage.split()[-1] for stage in instructions(dockerfile, "FROM") if " AS " in stage}
    sources = {stage.split()[0] for stage in instructions(dockerfile, "FROM")}

    assert sources - stages == {"python:3.12-slim", "scratch"}
    assert f"UV_VERSION := {uv}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("dockerfile", INSTALLED_BY_UV)
def test_an_image_installs_from_the_lock_file_without_what_is_for_developers(
    dockerfile: str,
) -> None:
    installing = [run for run in instructions(dockerfile, "RUN") if "uv sync" in run]

    assert len(installing) == 2
    assert all({"--frozen", "--no-dev", "--package"} <= set(run.split()) for run in installing)


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_an_image_runs_as_nobody_special_and_says_what_it_is(dockerfile: str) -> None:
    (user,) = instructions(dockerfile, "USER")
    (labels,) = instructions(dockerfile, "LABEL")

    assert int(user.split(":")[0]) > 0
    assert re.findall(r"org\.opencontainers\.image\.(\w+)=", labels) == [
        "title",
        "source",
        "revision",
    ]


def test_the_storefront_is_built_from_its_lock_file_by_a_node_that_it_names() -> None:
    engines = json.loads((ROOT / "frontend" / "package.json").read_text())["engines"]["node"]
    bases = {stage.split()[0] for stage in instructions("frontend", "FROM")}
    runs = instructions("frontend", "RUN")

    (major,) = {int(re.fullmatch(r"node:(\d+)-slim", base)[1]) for base in bases}
    assert major > int(engines.removeprefix(">=").partition(".")[0])
    assert [bool(re.search(r"\bnpm ci\b", run)) for run in runs] == [True, False]
    assert "package-lock.json" in instructions("frontend", "COPY")[0]


def test_a_service_has_no_shell_between() -> None:
    (command,) = instructions("services", "CMD")

    assert command.startswith("[")
