"""Servers in processes of their own, for tests of what only a real one does."""

import socket
import subprocess
import time
from contextlib import suppress
from typing import Final

# However busy the machine: gunicorn has taken twelve seconds beside four suites.
STARTS_WITHIN_S: Final = 90.0
LOOKS_EVERY_S: Final = 0.05


def wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    """Raises AssertionError if *process* ends instead, or does not in time, which ends it."""
    give_up_at = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < give_up_at:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        with suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"it ended with {process.wait(LOOKS_EVERY_S)}")
    process.kill()
    raise AssertionError(f"it did not listen within {STARTS_WITHIN_S} s")
