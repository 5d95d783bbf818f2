"""What never reaches the application is refused as the application refuses: problem+json."""

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

APPLICATION = """
from common import app as application
from common.settings import ServiceSettings
from flask import Blueprint, request
from pydantic import SecretStr
probe = Blueprint("probe", __name__)

@probe.post("/bodies")
def bodies():
    return str(len(request.get_data()))

@probe.post("/unread")
def unread():
    return {}, 415

@probe.get("/hosts")
def hosts():
    return request.host

settings = ServiceSettings(database_url=SecretStr("x"), jwt_secret=SecretStr("s" * 64))
app = application.create_app("probe", settings, [probe], {})
"""
PATIENCE_S = 20
CHUNKED = b"POST /bodies HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs") / "web.log"


@pytest.fixture(scope="module")
def port(serve: Callable[..., int], log: Path) -> int:
    return serve(APPLICATION, log=log)


def send(port: int, request: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    connection.sendall(request)
    return connection


def exchange(port: int, request: bytes) -> tuple[int, bytes, bytes]:
    """The status, the head and the body of the one answer to *request*, until the end."""
    with send(port, request) as connection:
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), head + b"\r\n", body


REFUSED = {
    "no request": (b"\x16\x03\x01\r\n\r\n", 400),
    "no host": (b"GET /hosts HTTP/1.1\r\n\r\n", 400),
    "an empty host": (b"GET /hosts HTTP/1.1\r\nHost:\r\n\r\n", 400),
    "two hosts": (b"GET /hosts HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "a path as host": (b"GET /hosts HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "a user in the host": (b"GET /hosts HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    "no number as port": (b"GET /hosts HTTP/1.1\r\nHost: a:x\r\n\r\n", 400),
    "a long line": (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "a long field": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
    "an endless head": (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000, 431),
    "what we do not expect": (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: cake\r\n\r\n", 417),
    "compressed": (CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n", 501),
    "not the last encoding": (CHUNKED.replace(b"chunked", b"chunked, gzip") + b"0\r\n\r\n", 400),
    "another version": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "no chunk": (CHUNKED + b"zz\r\n", 400),
    "a chunk without end": (CHUNKED + b"1\r\nxy\r\n0\r\n\r\n", 400),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_what_is_no_request_of_ours_is_a_problem(port: int, shape: str) -> None:
    request, expected = REFUSED[shape]

    status, head, body = exchange(port, request)

    assert status == expected
    assert b"\r\nContent-Type: application/problem+json\r\n" in head
    assert b"\r\nConnection: close\r\n" in head
    assert b"\r\nX-Content-Type-Options: nosniff\r\n" in head
    assert json.loads(body)["status"] == expected


@pytest.mark.parametrize("host", [b"a", b"a:80", b"127.0.0.1:8000", b"[::1]:80", b"a_b.c-d"])
def test_a_host_with_or_without_port_is_taken(port: int, host: bytes) -> None:
    request = b"GET /hosts HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"

    assert exchange(port, request)[0] == 200


@pytest.mark.parametrize("header", [b"SCRIPT_NAME: /evil", b"PATH_INFO: /evil"])
def test_no_header_moves_the_application(port: int, header: bytes) -> None:
    request = b"GET /hosts HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + header + b"\r\n\r\n"

    assert exchange(port, request)[0] == 200


@pytest.mark.parametrize("length", [80_000, 1024 * 1024, 1024 * 1024 + 1])
def test_a_refusal_says_what_becomes_of_the_connection(port: int, length: int) -> None:
    """RFC 9112 §9.6: who is told that it stays may use it."""
    request = b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length
    with send(port, request + b"x" * length) as connection, connection.makefile("rb") as answers:
        head = b"".join(iter(answers.readline, b"\r\n"))
        stays = b"\r\nConnection: close\r\n" not in head
        answers.read(int(re.findall(rb"Content-Length: (\d+)", head)[0]))
        if stays:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        following = answers.readline()

    assert following == (b"HTTP/1.1 200 OK\r\n" if stays else b"")
    assert stays == (length <= 1024 * 1024)


def test_every_line_of_the_log_is_json(port: int, log: Path) -> None:
    exchange(port, REFUSED["no request"][0])
    lines = log.read_text().splitlines(keepends=True)

    events = [json.loads(line) for line in lines if line.endswith("\n")]
    assert [event["status"] for event in events if event["event"] == "request_refused"]
