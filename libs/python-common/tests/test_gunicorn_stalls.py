"""A client that stops reading, or all that come at once, keep a process from nobody else."""

import resource
import socket
from collections.abc import Callable

import pytest

APPLICATION = """
from common import gunicorn_connection
from flask import Flask
gunicorn_connection.READER_S_MAX = 0.2
app = Flask("probe")

@app.get("/endless")
def endless():
    return (b"x" * 65536 for _ in iter(int, 1))

@app.get("/")
def short():
    return "served"

@app.get("/pid")
def pid():
    import os
    return str(os.getpid())
"""
PATIENCE_S = 20


@pytest.fixture(scope="module")
def port(serve: Callable[..., int]) -> int:
    """Of a server with one thread."""
    return serve(APPLICATION, threads=1)


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


def test_more_connections_than_a_shell_allows_files_end_no_worker(
    serve: Callable[..., int],
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    try:
        port = serve(APPLICATION)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    before = body(send(port, "/pid"))

    idle = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) for _ in range(150)]
    after = body(send(port, "/pid"))

    assert before == after
    for connection in idle:
        connection.close()


def body(connection: socket.socket) -> bytes:
    with connection:
        received = b""
        while not received.partition(b"\r\n\r\n")[2]:
            received += connection.recv(65536)
    return received.partition(b"\r\n\r\n")[2]
