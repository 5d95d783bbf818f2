"""A client that stops reading an answer is cut off, and its thread serves others."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

APPLICATION = """
from common import gunicorn_worker
from flask import Flask
gunicorn_worker.STALL_S_MAX = 0.2
app = Flask("probe")

@app.get("/endless")
def endless():
    return (b"x" * 65536 for _ in iter(int, 1))

@app.get("/")
def short():
    return "served"
"""
GUNICORN = (sys.executable, "-m", "gunicorn", "-c", "python:common.gunicorn_config")
PATIENCE_S = 20


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Of a server with one thread."""
    (tmp_path / "stalled_app.py").write_text(APPLICATION)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    environment = {"PORT": str(number), "WEB_THREADS": "1", "DRAIN_S": "0", "PATH": ""}
    process = subprocess.Popen([*GUNICORN, "stalled_app:app"], cwd=tmp_path, env=environment)
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", number)) == 0:
                break
    yield number
    process.terminate()
    process.wait(PATIENCE_S)


def send(port: int, path: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return connection


def test_who_stops_reading_is_cut_off_and_the_thread_serves_the_next(port: int) -> None:
    with send(port, "/endless") as stalled:
        begun = stalled.recv(1024)
        with send(port, "/") as other:
            answer = other.recv(65536)

        stalled.settimeout(PATIENCE_S)
        while stalled.recv(1 << 20):
            pass  # What had left already; then the end, which no reader is too slow for.

    assert begun.startswith(b"HTTP/1.1 200")
    assert answer.startswith(b"HTTP/1.1 200")
