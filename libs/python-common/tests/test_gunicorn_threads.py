"""Who sends or reads slowly keeps no thread from others, and who waits too long is told so."""

import json
import select
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

APPLICATION = """
import socket
from contextlib import suppress
from common import deadline, gunicorn_connection, gunicorn_worker, problems
from flask import Flask, Response, request
gunicorn_worker.ARRIVE_WITHIN_S = 30.0
gunicorn_worker.LARGE_WITHIN_S = 30.0
gunicorn_worker.LARGE_BODIES_MAX = 4
gunicorn_worker.QUEUE_MAX = 2
gunicorn_connection.READER_S_MAX = 0.2
app = Flask("probe")
app.config["BODY_BYTES_ACCEPTED"] = 8 * 1024 * 1024
problems.install(app)
deadline.install(app)

@app.post("/bodies")
def bodies():
    return str(len(request.get_data()))

@app.get("/healthz")
def healthz():
    return "alive"

@app.get("/zeros")
def zeros():
    return Response(request.environ["wsgi.file_wrapper"](open("/dev/zero", "rb")))

@app.get("/held/<int:door>")
def held(door):
    with suppress(OSError), socket.create_connection(("127.0.0.1", door)) as held:
        held.recv(1)
    return "held"
"""
THREADS = 2
QUEUE_MAX = 2
PATIENCE_S = 20
LARGE = 2 * 1024 * 1024
EXPECTING = b"POST /bodies HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
SHORT = b"POST /bodies HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"


@pytest.fixture(scope="module")
def port(serve: Callable[..., int]) -> int:
    return serve(APPLICATION, threads=THREADS)


def send(port: int, *pieces: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    for piece in pieces:
        connection.sendall(piece)
    return connection


def read(connection: socket.socket) -> tuple[bytes, bytes]:
    """The head and the body of the next answer."""
    with connection.makefile("rb") as answer:
        head = b"".join(iter(answer.readline, b"\r\n"))
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-len")]
        return head, answer.read(int(lengths[0].split(b":")[1])) if lengths else b""


def finish(connection: socket.socket, rest: bytes) -> bytes:
    """The answer when *rest* is sent: who is slow was not cut off for the sake of others."""
    connection.sendall(rest)
    return read(connection)[1]


def test_bodies_that_drip_after_an_expectation_keep_no_thread(port: int) -> None:
    head = EXPECTING + b"Content-Length: 9\r\n\r\n"
    with ExitStack() as open_ones:
        slow = [open_ones.enter_context(send(port, head)) for _ in range(4 * THREADS)]
        asked = [read(connection)[0] for connection in slow]
        for connection in slow:
            connection.sendall(b"a")

        with send(port, SHORT) as quick:
            answer = read(quick)[1]
        late_answers = [finish(connection, b"a" * 8) for connection in slow]

    assert asked == [b"HTTP/1.1 100 Continue\r\n"] * len(slow)
    assert answer == b"3"
    assert late_answers == [b"9"] * len(slow)


def test_bodies_whose_last_chunk_seems_to_have_come_keep_no_thread(port: int) -> None:
    head = b"POST /bodies HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with ExitStack() as open_ones:
        slow = [
            open_ones.enter_context(send(port, head + b"6\r\n0\r\n\r\n"))
            for _ in range(4 * THREADS)
        ]

        with send(port, SHORT) as quick:
            answer = read(quick)[1]
        late_answers = [finish(connection, b"a\r\n0\r\n\r\n") for connection in slow]

    assert answer == b"3"
    assert late_answers == [b"6"] * len(slow)


def test_large_bodies_that_drip_keep_no_thread(port: int) -> None:
    head = b"POST /bodies HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % LARGE
    with ExitStack() as open_ones:
        slow = [
            open_ones.enter_context(send(port, head, b"x" * (LARGE - 1))) for _ in range(THREADS)
        ]

        with send(port, SHORT) as quick:
            answer = read(quick)[1]
        late_answers = [finish(connection, b"x") for connection in slow]

    assert answer == b"3"
    assert late_answers == [b"%d" % LARGE] * len(slow)


def test_of_large_bodies_only_so_many_are_taken_at_once(serve: Callable[..., int]) -> None:
    port = serve(APPLICATION)
    head = EXPECTING + b"Content-Length: %d\r\n\r\n" % LARGE
    with ExitStack() as open_ones:
        for _ in range(4):
            assert b"100 Continue" in read(open_ones.enter_context(send(port, head)))[0]

        with send(port, head) as one_too_many:
            status, body = read(one_too_many)

    assert b" 503 " in status
    assert b"Retry-After: " in status
    assert json.loads(body)["type"] == "/problems/unavailable"


def test_a_body_nobody_accepts_is_refused_before_it_is_sent(port: int) -> None:
    with send(port, EXPECTING + b"Content-Length: 99999999\r\n\r\n") as connection:
        head, body = read(connection)

    assert b" 413 " in head
    assert b"\r\nConnection: close\r\n" in head
    assert json.loads(body)["status"] == 413


def test_a_chunked_body_nobody_accepts_is_refused_when_it_is_too_much(port: int) -> None:
    head = b"POST /bodies HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with send(port, head) as connection:
        for _ in range(9):
            connection.sendall(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
        answer, _ = read(connection)

    assert b" 413 " in answer
    assert b"\r\nConnection: close\r\n" in answer


def test_files_that_are_read_slowly_keep_no_thread(port: int) -> None:
    with ExitStack() as open_ones:
        request = b"GET /zeros HTTP/1.1\r\nHost: a\r\n\r\n"
        slow = [open_ones.enter_context(send(port, request)) for _ in range(THREADS)]
        for connection in slow:
            assert connection.recv(1) == b"H"
        give_up_at = time.monotonic() + PATIENCE_S

        with send(port, SHORT) as quick:
            while not select.select([quick], [], [], 0.02)[0]:
                assert time.monotonic() < give_up_at
                for connection in slow:
                    connection.recv(16 * 1024)
            assert read(quick)[1] == b"3"


def test_who_would_wait_behind_too_many_is_told_at_once(serve: Callable[..., int]) -> None:
    port = serve(APPLICATION, threads=THREADS)
    with ExitStack() as open_ones:
        with socket.create_server(("127.0.0.1", 0)) as door:
            held = b"GET /held/%d HTTP/1.1\r\nHost: a\r\n\r\n" % door.getsockname()[1]
            waiting = [
                open_ones.enter_context(send(port, held)) for _ in range(THREADS + QUEUE_MAX)
            ]
            with send(port, SHORT) as one_too_many:
                head, body = read(one_too_many)
            asking = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
            waiting.append(open_ones.enter_context(send(port, asking)))
        *answers, alive = [read(connection)[1] for connection in waiting]

    assert b" 503 " in head
    assert b"Retry-After: " in head
    assert json.loads(body)["type"] == "/problems/unavailable"
    assert answers == [b"held"] * (THREADS + QUEUE_MAX)
    assert alive == b"alive"  # Else whoever watches a busy process would end it.


def test_who_waited_for_a_thread_past_the_deadline_is_told_so(serve: Callable[..., int]) -> None:
    port = serve(APPLICATION, threads=1)
    hurried = SHORT.replace(b"Host", b"X-Request-Deadline: 100\r\nHost")
    with socket.create_server(("127.0.0.1", 0)) as door:
        held = b"GET /held/%d HTTP/1.1\r\nHost: a\r\n\r\n" % door.getsockname()[1]
        with send(port, held), send(port, hurried) as waiting:
            waiting.settimeout(0.2)
            with pytest.raises(TimeoutError):
                waiting.recv(1)

            door.close()
            waiting.settimeout(PATIENCE_S)
            _, body = read(waiting)

    assert json.loads(body)["type"] == "/problems/too-late"


def test_who_stays_after_a_large_body_takes_no_place_of_the_next(
    serve: Callable[..., int],
) -> None:
    port = serve(APPLICATION)
    head = b"POST /bodies HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % LARGE
    with ExitStack() as open_ones:
        answers = [
            read(open_ones.enter_context(send(port, head, b"x" * LARGE)))[1]
            for _ in range(5)  # One more than LARGE_BODIES_MAX.
        ]

    assert answers == [b"%d" % LARGE] * 5
