"""A client that stops reading an answer is cut off, and its thread serves others."""

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
