"""A slow client costs a buffer, not a thread; a request two parsers read differently is refused."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from common.gunicorn_worker import BUFFER_BYTES_MAX, is_whole
from hypothesis import given
from hypothesis import strategies as st

APPLICATION = """
from common import gunicorn_worker, problems
from flask import Flask, request
gunicorn_worker.ARRIVE_WITHIN_S = {arrive_within_s}
app = Flask("probe")
app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024
problems.install(app)

@app.post("/bodies")
def bodies():
    return str(len(request.get_data()))
"""
THREADS = 2
WHOLE = b"POST /bodies HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
CHUNKED = b"POST /bodies HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def start(folder: Path, arrive_within_s: float) -> tuple[subprocess.Popen[bytes], int]:
    (folder / "probe_app.py").write_text(APPLICATION.format(arrive_within_s=arrive_within_s))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "python:common.gunicorn_config", "probe_app:app"],
        cwd=folder,
        env={"PORT": str(port), "WEB_THREADS": str(THREADS), "DRAIN_S": "0", "PATH": ""},
    )
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
    raise AssertionError("gunicorn did not start")


@pytest.fixture(scope="module")
def patient_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    process, port = start(tmp_path_factory.mktemp("patient"), arrive_within_s=30)
    yield port
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="module")
def strict_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    process, port = start(tmp_path_factory.mktemp("strict"), arrive_within_s=0.2)
    yield port
    process.terminate()
    process.wait(20)


def send(port: int, *pieces: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    for piece in pieces:
        connection.sendall(piece)
    return connection


def answer(connection: socket.socket) -> bytes:
    """What came until the body of the first response, or the end."""
    received = b""
    while b"\r\n\r\n" not in received or received.endswith(b"\r\n\r\n"):
        piece = connection.recv(65536)
        if not piece:
            break
        received += piece
    return received


def everything(connection: socket.socket) -> bytes:
    """What came until the server closed the connection."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


@pytest.mark.parametrize(
    "received",
    [
        WHOLE,
        WHOLE + b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"0\r\n\r\n",
        CHUNKED + b"3\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
        b"x" * BUFFER_BYTES_MAX,
    ],
)
def test_a_whole_request_goes_to_a_thread(received: bytes) -> None:
    assert is_whole(received)


@pytest.mark.parametrize(
    "received",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        WHOLE[:-1],
        CHUNKED,
        CHUNKED + b"3\r\nabc\r\n",
        CHUNKED + b"3\r\nabc\r\n0\r\n",
        CHUNKED + b"6\r\n0\r\n\r\n1\r\n",
    ],
)
def test_a_request_that_is_still_coming_waits(received: bytes) -> None:
    assert not is_whole(received)


@given(st.binary(max_size=300))
def test_a_request_is_whole_with_its_last_byte_and_not_before(body: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    request = head + body

    ends = [end for end in range(len(request) + 1) if is_whole(request[:end])]

    assert ends == [len(request)]


def test_slow_clients_do_not_keep_the_threads_from_others(patient_port: int) -> None:
    slow = [send(patient_port, WHOLE[:-1]) for _ in range(4 * THREADS)]
    slow += [send(patient_port, b"GET / HTTP/1.1\r\nX-Slow: ") for _ in range(4 * THREADS)]
    slow += [send(patient_port) for _ in range(4 * THREADS)]

    with send(patient_port, WHOLE) as quick:
        assert answer(quick).endswith(b"\r\n\r\n3")

    for connection in slow:
        connection.close()


def test_a_slow_client_that_finishes_is_answered(patient_port: int) -> None:
    with send(patient_port, *(bytes([byte]) for byte in WHOLE)) as drip:
        assert answer(drip).endswith(b"\r\n\r\n3")


def test_a_connection_serves_many_requests_pipelined_ones_too(patient_port: int) -> None:
    with send(patient_port, WHOLE) as connection:
        first = answer(connection)
        connection.sendall(WHOLE + WHOLE)
        received = b""
        while received.count(b"\r\n\r\n3") < 2:
            received += connection.recv(65536)

    assert b"200 OK" in first
    assert received.count(b"200 OK") == 2


@pytest.mark.parametrize("length", [1, 100_000, 1024 * 1024])
def test_a_large_body_arrives_unharmed(patient_port: int, length: int) -> None:
    head = b"POST /bodies HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length

    with send(patient_port, head, b"x" * length) as connection:
        assert answer(connection).endswith(b"\r\n\r\n%d" % length)


def test_a_body_beyond_the_limit_is_refused(patient_port: int) -> None:
    head = b"POST /bodies HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n"

    with send(patient_port, head, b"x" * BUFFER_BYTES_MAX) as connection:
        assert b" 413 " in answer(connection).split(b"\r\n")[0]


def test_a_client_that_waits_to_be_asked_is_asked(patient_port: int) -> None:
    head, body = WHOLE[:-3].replace(b"Host", b"Expect: 100-continue\r\nHost"), WHOLE[-3:]

    with send(patient_port, head) as connection:
        assert b"100 Continue" in connection.recv(65536)
        connection.sendall(body)
        assert answer(connection).endswith(b"\r\n\r\n3")


@pytest.mark.parametrize("piece", [b"", b"GET / HTTP/1.1\r\nX-Slow: ", WHOLE[:-1], CHUNKED])
def test_a_request_that_does_not_arrive_in_time_is_cut_off(strict_port: int, piece: bytes) -> None:
    with send(strict_port, piece) as dawdler:
        assert dawdler.recv(65536) == b""


@pytest.mark.parametrize(
    "request_bytes",
    [
        WHOLE.replace(b"Content-Length: 3", b"Content-Length: 3\r\nContent-Length: 4"),
        WHOLE.replace(b"Content-Length: 3", b"Content-Length: 3\r\nTransfer-Encoding: chunked"),
        CHUNKED.replace(b"chunked", b"chunked, identity") + b"0\r\n\r\n",
        CHUNKED.replace(b"chunked", b"xchunked") + b"0\r\n\r\n",
        WHOLE.replace(b"Content-Length: 3", b"Content-Length: +3"),
        WHOLE.replace(b"Content-Length: 3", b"Content-Length : 3"),
        WHOLE.replace(b"Host: a", b"Host: a\r\n folded"),
        WHOLE.replace(b"Host: a", b"Host: a\r\nX\x00: 1"),
        CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
        WHOLE.replace(b"HTTP/1.1", b"HTTP/9.9"),
    ],
)
def test_what_two_servers_could_read_differently_is_refused(
    strict_port: int, request_bytes: bytes
) -> None:
    with send(strict_port, request_bytes) as connection:
        received = everything(connection)

    statuses = re.findall(rb"HTTP/1.1 (\d+)", received)
    assert statuses == [] or set(statuses) <= {b"400", b"501", b"505"}


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: a\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Large: " + b"x" * 9000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(101)),
    ],
    ids=["line", "field", "fields"],
)
def test_oversized_heads_are_refused(patient_port: int, head: bytes) -> None:
    with send(patient_port, head + b"\r\n") as connection:
        status = answer(connection).split(b" ")[1]

    assert status in {b"400", b"414", b"431"}
