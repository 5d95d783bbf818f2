"""What a test session starts for itself is gone when the session is, however it ended."""

import subprocess
import sys

import psutil
import pytest
from harness.eventually import eventually
from harness.process import control

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


def is_left(pid: int) -> bool:
    try:
        return control.is_alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False
