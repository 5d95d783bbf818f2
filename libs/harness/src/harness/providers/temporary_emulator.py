"""One emulator for the length of a `with` block, for tests. The supervisor starts its own."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.process import ports
from harness.providers import emulator

# It takes 0.7 s on two idle cores; this is for a machine that runs everything else too.
START_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0


class EmulatorDidNotStart(RuntimeError):
    """It ended or stayed silent; the message is what it wrote."""


@dataclass(frozen=True)
class RunningEmulator:
    port: int
    pid: int
    endpoint_url: str


@contextmanager
def temporary_emulator(
    repo_root: Path,
    env_dir: Path,
    state_dir: Path,
    variables: Mapping[str, str] | None = None,
    port: int | None = None,
) -> Iterator[RunningEmulator]:
    """A healthy emulator on a free port; afterwards it has ended, and saved itself to `state_dir`.

    variables: more of its environment. port: this one instead. Raises EmulatorDidNotStart.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    port = port or ports.choose({"aws": 0}, {}, ephemeral=True)["aws"]
    log_path = state_dir / "emulator.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  Our own program and arguments.
            emulator.command(repo_root, env_dir),
            env={**os.environ, **emulator.environment(port, state_dir), **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _await_health(process, port, log_path)
        yield RunningEmulator(port, process.pid, f"http://{ports.HOST}:{port}")
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _await_health(process: "subprocess.Popen[bytes]", port: int, log_path: Path) -> None:
    give_up_at = time.monotonic() + START_WITHIN_S
    while not emulator.is_healthy(port):
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise EmulatorDidNotStart(log_path.read_text(errors="replace"))
        time.sleep(0.01)
