"""A slow client costs a buffer, not a thread; a request two parsers read differently is refused."""

import re
import socket
import time
from collections.abc import Callable

import pytest
from common.gunicorn_arrival import BUFFER_BYTES_MAX

APPLICATION = """
from common import deadline, gunicorn_worker, problems
from flask import Flask, request
gunicorn_worker.ARRIVE_WITHIN_S = {arrive_within_s}
app = Flask("probe")
app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024
problems.install(app)

@app.post("/bodies")
def bodies():
    return str(len(request.get_data()))

@app.post("/arrivals")
def arrivals():
    return str(deadline._arrived_at.get())
"""
THREADS = 2
WHOLE = b"POST /bodies HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
EXPECTING = WHOLE[:-3].replace(b"Host", b"Expect: 100-continue\r\nHost")
CHUNKED = b"POST /bodies HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def patient_port(serve: Callable[..., int]) -> int:
    return serve(APPLICATION.format(arrive_within_s=30), threads=THREADS)


@pytest.fixture(scope="module")
def strict_port(serve: Callable[..., int]) -> int:
    return serve(APPLICATION.format(arrive_within_s=0.2), threads=THREADS)


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
    with send(patient_port, EXPECTING) as connection:
        asked = connection.recv(65536)
        connection.sendall(WHOLE[-3:])
        answered = answer(connection)

    assert asked == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answered.startswith(b"HTTP/1.1 200 ")  # And is not asked again.
    assert answered.endswith(b"\r\n\r\n3")


def test_a_deadline_counts_from_the_last_byte_and_not_from_the_first(patient_port: int) -> None:
    with send(patient_port, EXPECTING.replace(b"/bodies", b"/arrivals")) as client:
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        before_the_body = time.monotonic()  # One clock for all processes of a machine.
        client.sendall(b"abc")
        arrived_at = float(answer(client).rpartition(b"\r\n\r\n")[2])

    assert before_the_body <= arrived_at <= time.monotonic()


def test_a_client_that_does_not_wait_to_be_asked_is_not_asked(patient_port: int) -> None:
    request = WHOLE.replace(b"Host", b"Expect: 100-continue\r\nHost")

    with send(patient_port, request) as connection:
        assert answer(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("piece", [b"", b"GET / HTTP/1.1\r\nX-Slow: "])
def test_a_head_that_does_not_arrive_in_time_is_cut_off(strict_port: int, piece: bytes) -> None:
    with send(strict_port, piece) as dawdler:
        assert dawdler.recv(65536) == b""


@pytest.mark.parametrize("piece", [WHOLE[:-1], CHUNKED, EXPECTING])
def test_a_body_that_does_not_arrive_in_time_is_refused(strict_port: int, piece: bytes) -> None:
    with send(strict_port, piece) as dawdler:
        last = everything(dawdler).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")

    assert last.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nConnection: close\r\n" in last


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
        CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n",
    ],
)
def test_what_two_servers_could_read_differently_is_refused(
    patient_port: int, request_bytes: bytes
) -> None:
    with send(patient_port, request_bytes) as connection:
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
