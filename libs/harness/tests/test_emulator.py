"""The environment of the emulator: made once, pinned, and explained when it cannot be made."""

import re
from pathlib import Path

import pytest
from harness.providers import emulator
from harness.providers.emulator import EmulatorNotInstalled

REPO = Path(__file__).parents[3]


def fake_uv(tmp_path: Path, script: str) -> str:
    """A command that counts its calls in `calls` and then does what the script says."""
    path = tmp_path / "uv"
    path.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/calls"\n{script}\n')
    path.chmod(0o755)
    return str(path)


MAKES_AN_ENVIRONMENT = (
    'mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"; : > "$UV_PROJECT_ENVIRONMENT/bin/python"'
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with nothing but the emulator's requirement and lock."""
    project = tmp_path / "checkout" / "infra" / "emulator"
    project.mkdir(parents=True)
    (project / "pyproject.toml").write_text("[project]")
    (project / "uv.lock").write_text("version = 1")
    return tmp_path / "checkout"


def test_the_environment_is_made_once_and_then_reused(tmp_path: Path, checkout: Path) -> None:
    uv = fake_uv(tmp_path, MAKES_AN_ENVIRONMENT)

    first = emulator.install(checkout, tmp_path / "home", uv)
    second = emulator.install(checkout, tmp_path / "home", uv)

    assert first == second == tmp_path / "home" / "emulator-env"
    [call] = (tmp_path / "calls").read_text().splitlines()
    assert "--frozen" in call


def test_a_changed_lock_makes_the_environment_anew(tmp_path: Path, checkout: Path) -> None:
    uv = fake_uv(tmp_path, MAKES_AN_ENVIRONMENT)
    env_dir = emulator.install(checkout, tmp_path / "home", uv)
    (env_dir / "left-over").touch()

    (checkout / "infra/emulator/uv.lock").write_text("version = 2")
    emulator.install(checkout, tmp_path / "home", uv)

    assert len((tmp_path / "calls").read_text().splitlines()) == 2
    assert not (env_dir / "left-over").exists()


def test_an_environment_whose_python_is_gone_is_made_anew(tmp_path: Path, checkout: Path) -> None:
    uv = fake_uv(tmp_path, MAKES_AN_ENVIRONMENT)
    env_dir = emulator.install(checkout, tmp_path / "home", uv)

    (env_dir / "bin" / "python").unlink()
    emulator.install(checkout, tmp_path / "home", uv)

    assert (env_dir / "bin" / "python").exists()


def test_a_failed_installation_says_what_uv_said_and_is_not_reused(
    tmp_path: Path, checkout: Path
) -> None:
    broken = fake_uv(tmp_path, f'{MAKES_AN_ENVIRONMENT}; echo "no route to host" >&2; exit 2')

    with pytest.raises(EmulatorNotInstalled, match="no route to host"):
        emulator.install(checkout, tmp_path / "home", broken)
    with pytest.raises(EmulatorNotInstalled):
        emulator.install(checkout, tmp_path / "home", broken)


def test_without_uv_the_message_says_where_to_get_it(tmp_path: Path, checkout: Path) -> None:
    with pytest.raises(EmulatorNotInstalled, match=r"docs\.astral\.sh/uv"):
        emulator.install(checkout, tmp_path / "home", str(tmp_path / "no-such-uv"))


def test_the_lock_names_no_registry_but_pypi() -> None:
    lock = (REPO / "infra/emulator/uv.lock").read_text()

    hosts = set(re.findall(r"https?://([^/\"]+)", lock))

    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_the_checked_version_is_the_required_one() -> None:
    checked = re.search(
        r'TESTED_VERSION = "(.+)"', (REPO / emulator.PROGRAM / "pinned_version.py").read_text()
    )
    required = re.search(
        r'"ministack==(.+?)"', (REPO / "infra/emulator/pyproject.toml").read_text()
    )

    assert checked is not None
    assert required is not None
    assert checked[1] == required[1]
