"""The SNS and SQS emulator of infra/emulator: its environment, command and health. Starts nothing.

It lives in an environment of its own, because MiniStack pins botocore to another version than ours.
Whoever starts it adds CARTWRIGHT_PARENT_PID, so that it ends when they do (Linux).
"""

import fcntl
import hashlib
import http.client
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.process import surroundings
from harness.process.failure import CannotStart
from harness.process.ports import HOST

PROJECT = Path("infra", "emulator")
PROGRAM = PROJECT / "cartwright_emulator"
HEALTH_PATH = "/_ministack/health"
# It answers in a millisecond; while it saves thousands of messages it may take longer.
HEALTH_TIMEOUT_S = 2.0
# 25 MB of wheels over a slow line. From uv's cache it takes less than a second.
INSTALL_TIMEOUT_S = 300.0
# Which lock the environment was made from.
_STAMP = ".made-from"


class EmulatorNotInstalled(CannotStart):
    """Its environment could not be made; the message says what to do."""


def find_uv() -> str:
    """The uv that runs us (`uv run` tells it in UV), else our environment's, else PATH's."""
    beside_python = Path(sys.executable).parent / "uv"
    ours = str(beside_python) if beside_python.exists() else None
    return os.environ.get("UV") or ours or shutil.which("uv") or "uv"


def install(repo_root: Path, home: Path, uv: str) -> Path:
    """The environment, `home/emulator-env`: made when missing or when the lock has changed.

    uv: the command, by name or path. Raises EmulatorNotInstalled. Safe to call from several
    processes at once: the others wait for the first.
    """
    env_dir = home / "emulator-env"
    wanted = _fingerprint(repo_root)
    with _one_at_a_time(home):
        if not _is_current(env_dir, wanted):
            _sync(repo_root, env_dir, uv)
            (env_dir / _STAMP).write_text(wanted)
    return env_dir


def command(repo_root: Path, env_dir: Path) -> list[str]:
    """What to run, in any directory, with `environment`."""
    return [str(_python(env_dir)), str(repo_root / PROGRAM)]


def environment(port: int, state_dir: Path) -> dict[str, str]:
    """What it needs beside PATH and HOME. Topics and messages are kept in `state_dir` when it is
    stopped by SIGTERM or SIGINT; after SIGKILL it starts from the stop before.

    Add EMULATOR_SAVE_EVERY_S to bound what SIGKILL can lose: each save is written by a copy of the
    emulator, which takes a second for 10,000 messages.
    """
    return {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        # The host in queue URLs, whatever name the caller used for it.
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": "us-east-1",
        "SERVICES": "sns,sqs",
        "LOG_LEVEL": "WARNING",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state_dir),
    }


def is_healthy(port: int) -> bool:
    """Whether an emulator answers there."""
    connection = http.client.HTTPConnection(HOST, port, timeout=HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", HEALTH_PATH)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):  # Nobody listens, or somebody else does.
        return False
    finally:
        connection.close()


def _fingerprint(repo_root: Path) -> str:
    """Changes with the lock, the requirement and our Python, which the environment borrows."""
    content = hashlib.sha256(sys.version.encode())
    for name in ("pyproject.toml", "uv.lock"):
        content.update((repo_root / PROJECT / name).read_bytes())
    return content.hexdigest()


def _is_current(env_dir: Path, wanted: str) -> bool:
    stamp = env_dir / _STAMP
    # The interpreter is a link: `exists` is false when the Python behind it was removed.
    return _python(env_dir).exists() and stamp.exists() and stamp.read_text() == wanted


def _python(env_dir: Path) -> Path:
    return env_dir / "bin" / "python"


@contextmanager
def _one_at_a_time(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    with (home / "emulator-env.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sync(repo_root: Path, env_dir: Path, uv: str) -> None:
    shutil.rmtree(env_dir, ignore_errors=True)
    project = repo_root / PROJECT
    arguments = [uv, "sync", "--project", str(project), "--frozen", "--python", sys.executable]
    # With VIRTUAL_ENV set uv warns that it uses another one; that is what we ask of it.
    network = surroundings.of_installers()
    variables = {name: value for name, value in network.items() if name != "VIRTUAL_ENV"}
    try:
        subprocess.run(  # noqa: S603  Our own arguments.
            arguments,
            env={**variables, "UV_PROJECT_ENVIRONMENT": str(env_dir)},
            cwd=project,
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
        )
    except FileNotFoundError:
        raise EmulatorNotInstalled(
            f"There is no command {uv}. Install it: https://docs.astral.sh/uv/"
        ) from None
    except subprocess.TimeoutExpired:
        raise EmulatorNotInstalled(
            f"The emulator's packages did not arrive within {INSTALL_TIMEOUT_S:.0f} s. "
            "Check the network and try again."
        ) from None
    except subprocess.CalledProcessError as error:
        raise EmulatorNotInstalled(
            f"uv could not install the emulator (exit {error.returncode}). It said:\n"
            f"{error.stderr.strip()}\n{_remedy(error.stderr)}: {shlex.join(arguments)}"
        ) from None


def cache_folder(uv: str) -> Path:
    """Where uv keeps what it downloads. Raises what `subprocess` raises if there is no uv."""
    asked = [uv, "cache", "dir"]
    return Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())  # noqa: S603


def _remedy(said: str) -> str:
    if "initialize cache" in said:
        return "Set UV_CACHE_DIR to a folder that you may write to, then try it"
    return "Try it yourself"
