"""What an image of a service is built from is enough: installed from it alone, everything imports.

Without Docker: the same files, by the same command of uv, into an environment of its own.
"""

import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
from harness import stack
from harness.process import surroundings
from harness.topology.summary import SERVICES
from test_repository import files

ROOT = stack.repository()
DOCKERFILE = (ROOT / "services" / "Dockerfile").read_text(encoding="utf-8")
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


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `docker build` sends: the files that .dockerignore lets through."""
    folder = tmp_path_factory.mktemp("context")
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    wanted = [line[1:] for line in lines if line.startswith("!")]
    for path in files("*"):
        relative = path.relative_to(ROOT)
        if any(
            fnmatch(str(part), name) for name in wanted for part in (relative, *relative.parents)
        ):
            (folder / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / relative)
    return folder


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_all_that_its_service_imports(
    service: str, context: Path, tmp_path: Path
) -> None:
    (command,) = re.findall(r"^RUN (uv sync .*)$", DOCKERFILE, re.M)
    arguments = command.replace("${SERVICE}", service).replace('"', "").split()[1:]
    environment = surroundings.of_installers() | {"UV_PROJECT_ENVIRONMENT": str(tmp_path / "venv")}

    made = subprocess.run(
        [UV, *arguments], cwd=context, env=environment, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    python = tmp_path / "venv" / "bin" / "python"
    imported = subprocess.run(
        [python, "-I", "-c", IMPORT_ALL, service, "common", "card_numbers"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert imported.stdout == "all of it\n", imported.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_what_an_image_copies_is_there_to_be_copied(service: str, context: Path) -> None:
    copied = re.findall(r"^COPY --from=build /src/(\S+)", DOCKERFILE, re.M)

    gone = [
        place for place in copied if not (context / place.replace("${SERVICE}", service)).is_dir()
    ]

    assert (bool(copied), gone) == (True, [])
