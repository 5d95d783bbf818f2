"""What a test session starts for itself is gone when the session is, however it ended."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from harness.eventually import eventually
from harness.process import control
from harness.providers.embedded_plan import forget_stranger

GONE_WITHIN_S = 20.0
UNTIL_KILLED = """
import os, signal, psutil
from harness.providers.{module} import temporary_socket
with temporary_socket() as socket:
    print(*(child.pid for child in psutil.Process().children(recursive=True)), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("module", ["postgres", "valkey"])
def test_a_killed_session_leaves_no_server_running(module: str) -> None:
    command = [sys.executable, "-c", UNTIL_KILLED.format(module=module)]
    session = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60)

    pids = [int(pid) for pid in session.stdout.split()]

    assert pids
    eventually(lambda: not any(map(is_left, pids)), GONE_WITHIN_S, "their end")


def test_a_pid_that_is_somebody_elses_by_now_keeps_no_server_from_starting(tmp_path: Path) -> None:
    pid_file = tmp_path / "postmaster.pid"
    waiting = [sys.executable, "-c", "import signal; print(flush=True); signal.pause()"]
    with ExitStack() as processes:
        stranger, server = (
            processes.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            for command in (waiting, [*waiting, "-D", str(tmp_path)])
        )
        processes.callback(stranger.kill)
        processes.callback(server.kill)
        # `Popen` is back before the kernel can say how a process was called.
        assert all(process.stdout and process.stdout.readline() for process in (stranger, server))

        pid_file.write_text(f"{stranger.pid}\n{tmp_path}\n")
        forget_stranger(pid_file)
        assert not pid_file.exists()

        pid_file.write_text(f"{server.pid}\n{tmp_path}\n")
        forget_stranger(pid_file)
        assert pid_file.exists(), "it is running"

    forget_stranger(pid_file)  # Nobody has it: PostgreSQL sees so itself.
    pid_file.write_text("")
    forget_stranger(pid_file)


def is_left(pid: int) -> bool:
    try:
        return control.is_alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False
