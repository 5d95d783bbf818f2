"""Where a request ends, whatever pieces it comes in, and what that costs."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
from common.gunicorn_arrival import BUFFER_BYTES_MAX, HEAD_BYTES_MAX, Arrival, BodyTooLarge, Chunks
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    LimitRequestHeaders,
    ParseException,
)
from hypothesis import given
from hypothesis import strategies as st

WHOLE = b"POST /bodies HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
CHUNKED = b"POST /bodies HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
READ_BYTES = 64 * 1024
BODY_BYTES_MAX = 2 * BUFFER_BYTES_MAX

Begin = Callable[[], Arrival]


def new_arrival() -> Arrival:
    return Arrival(Config(), ("127.0.0.1", 1), BODY_BYTES_MAX)


@pytest.fixture
def begin() -> Iterator[Begin]:
    with ExitStack() as bodies:
        yield lambda: bodies.enter_context(closing(new_arrival()))


@pytest.mark.parametrize(
    ("received", "body"),
    [
        (WHOLE, b"abc"),
        (b"\r\n" + WHOLE, b"abc"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b""),
        (b"GET / HTTP/1.0\r\n\r\n", b""),
        (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (CHUNKED + b"0\r\n\r\n", b""),
        (CHUNKED + b'3;a=b;c="d e"\r\nabc\r\n2\r\n\r\n\r\n000\r\nX-Trailer: 1\r\n\r\n', b"abc\r\n"),
    ],
)
@pytest.mark.parametrize("rest", [b"", b"GET / HTTP/1.1\r\n"])
def test_a_whole_request_has_its_body_and_leaves_the_next(
    begin: Begin, received: bytes, body: bytes, rest: bytes
) -> None:
    arrived = begin()

    arrived.feed(received + rest)

    assert arrived.is_whole
    assert arrived.request is not None
    assert (arrived.request.body.read(), arrived.rest) == (body, rest)


@pytest.mark.parametrize(
    "received",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        WHOLE[:-1],
        CHUNKED,
        CHUNKED + b"3\r\nabc\r\n",
        CHUNKED + b"3\r\nabc\r\n0\r\n",
        CHUNKED + b"64\r\n0\r\n\r\n",
    ],
)
def test_a_request_that_is_still_coming_waits(begin: Begin, received: bytes) -> None:
    arrived = begin()

    arrived.feed(received)

    assert not arrived.is_whole


@given(st.binary(max_size=60), st.integers(1, 9), st.integers(1, 9))
def test_a_body_is_whole_with_its_last_byte_however_it_is_cut(
    body: bytes, chunk_bytes: int, piece_bytes: int
) -> None:
    parts = [body[at : at + chunk_bytes] for at in range(0, len(body), chunk_bytes)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*parts, b""])
    plain = WHOLE.replace(b"3\r\n\r\nabc", b"%d\r\n\r\n" % len(body)) + body

    for request in (CHUNKED + chunks, plain):
        *pieces, last = (
            request[at : at + piece_bytes] for at in range(0, len(request), piece_bytes)
        )
        with closing(new_arrival()) as arrived:
            for piece in [*pieces, last[:-1]]:
                arrived.feed(piece)
            was_whole = arrived.is_whole
            arrived.feed(last[-1:])

            assert (was_whole, arrived.is_whole) == (False, True)
            assert arrived.body.read() == body


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n",
        b"-3\r\n",
        b"0x3\r\n",
        b" 3\r\n",
        b"3 \r\n",
        b"\r\n",
        b"123456789\r\n",
        b"3;a\rb\r\n",
        b"3\r\nabcd\r\n",
        b"0\r\nno trailer\r\n",
        b"0\r\n" + b"X-Trailer: 1234567890\r\n" * 1000,
        b"3;" + b"a" * 2000,
    ],
)
def test_what_is_no_chunk_is_refused(chunks: bytes) -> None:
    with pytest.raises(ParseException):
        Chunks().decode(chunks)


def test_an_endless_head_is_refused(begin: Begin) -> None:
    arrived = begin()
    arrived.feed(b"GET / HTTP/1.1\r\n")

    with pytest.raises(LimitRequestHeaders):
        arrived.feed(b"X: y\r\n" * (HEAD_BYTES_MAX // 6))


@pytest.mark.parametrize(
    "request_",
    [
        WHOLE.replace(b"3", b"%d" % (BODY_BYTES_MAX + 1)),
        CHUNKED + b"%x\r\n" % (BODY_BYTES_MAX + 1) + b"x" * (BODY_BYTES_MAX + 1),
    ],
    ids=["announced", "chunked"],
)
def test_a_body_that_no_route_accepts_is_refused(begin: Begin, request_: bytes) -> None:
    with pytest.raises(BodyTooLarge):
        begin().feed(request_)


@pytest.mark.parametrize(
    ("length", "is_large"), [(BUFFER_BYTES_MAX, False), (BODY_BYTES_MAX, True)]
)
def test_a_large_body_is_known_by_its_head_and_kept_on_the_disk(
    begin: Begin, length: int, *, is_large: bool
) -> None:
    arrived = begin()

    arrived.feed(WHOLE[:-3].replace(b"3", b"%d" % length))
    announced = arrived.is_large
    arrived.feed(b"x" * length)

    assert (announced, arrived.is_large) == (is_large, is_large)
    assert arrived.body.read() == b"x" * length


def cpu_s_of_chunks(count: int) -> float:
    """What it costs to take so many chunks of one byte, in the pieces a socket gives."""
    request = CHUNKED + b"1\r\nx\r\n" * count + b"0\r\n\r\n"
    with closing(new_arrival()) as arrived:
        began = time.process_time()
        for at in range(0, len(request), READ_BYTES):
            arrived.feed(request[at : at + READ_BYTES])
        assert arrived.is_whole
        return time.process_time() - began


def test_tiny_chunks_cost_no_more_each_when_there_are_many() -> None:
    """Eight times as many cost 64 times as much where all that is left is copied for each."""
    few = min(cpu_s_of_chunks(10_000) for _ in range(3))
    many = min(cpu_s_of_chunks(80_000) for _ in range(3))

    assert many / few < 24
