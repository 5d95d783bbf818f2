"""A call ends in time, however slowly its answer comes, and its answer has an end."""

import gzip
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from common import calls
from common.neighbours import Neighbour, NoAnswer
from common.testing.deadlines import Clock, Drip, request_with
from pydantic import BaseModel

URL = "http://catalog/quotes"


class Prices(BaseModel): ...


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def breaking_off() -> Iterator[str]:
    """The address of a server that sends half of its answer and keeps the connection open."""

    class BreakingOff(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"x")
            self.rfile.read()  # Until the client has gone.

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), BreakingOff) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        thread.join()


def call(response: httpx.Response, within_s: float = 6.0, read_s: float = 6.0) -> httpx.Response:
    transport = httpx.MockTransport(lambda _: response)
    with httpx.Client(transport=transport, timeout=read_s) as http:
        return calls.answer(http, "GET", URL, within_s=within_s)


def test_an_answer_is_what_httpx_makes_of_it() -> None:
    response = call(httpx.Response(404, headers={"Retry-After": "1"}, json={"sku": "MÜG-1"}))

    assert (response.status_code, response.json()) == (404, {"sku": "MÜG-1"})
    assert response.headers["Retry-After"] == "1"
    with pytest.raises(httpx.HTTPStatusError):
        response.raise_for_status()


def test_what_was_packed_is_unpacked_once() -> None:
    packed = httpx.Response(
        200,
        headers={"Content-Encoding": "gzip"},
        stream=httpx.ByteStream(gzip.compress(b"{}")),
    )

    assert call(packed).content == b"{}"


@pytest.mark.parametrize("each_s", [0.1, 1.0, 2.0, 4.0])
@pytest.mark.parametrize(("within_s", "read_s"), [(6.0, 6.0), (6.0, 5.0), (60.0, 6.0)])
def test_an_answer_that_drips_is_none(
    clock: Clock, each_s: float, within_s: float, read_s: float
) -> None:
    drip, began_s = Drip(clock, each_s), clock.now_s

    with pytest.raises(httpx.ReadTimeout):
        call(httpx.Response(200, stream=drip), within_s, read_s)

    assert clock.now_s - began_s <= 6.0
    assert drip.is_closed


def test_an_answer_that_is_whole_needs_no_time_for_more(clock: Clock) -> None:
    """As of a machine that had something else to do between its head and its body."""

    class Late(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            clock.now_s += 4.0
            yield b"{}"

    late = httpx.Response(200, headers={"Content-Length": "2"}, stream=Late())

    assert call(late, within_s=6.0).content == b"{}"


def test_what_begins_after_the_end_is_not_read(clock: Clock) -> None:
    drip = Drip(clock, each_s=0.0)

    def late(_: httpx.Request) -> httpx.Response:
        clock.now_s += 6.0
        return httpx.Response(200, stream=drip)

    with (
        httpx.Client(transport=httpx.MockTransport(late)) as http,
        pytest.raises(httpx.ReadTimeout, match="too late"),
    ):
        calls.answer(http, "GET", URL, within_s=6.0)

    assert drip.is_closed


def test_a_body_that_stops_midway_is_waited_for_no_longer_than_the_call_may_take(
    breaking_off: str,
) -> None:
    began_s = time.monotonic()

    with httpx.Client(timeout=20.0) as http, pytest.raises(httpx.ReadTimeout):
        calls.answer(http, "GET", breaking_off, within_s=0.5)

    assert time.monotonic() - began_s < 10.0


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_an_answer_that_is_too_long_is_none(encoding: str) -> None:
    def answered(size: int) -> httpx.Response:
        body = b" " * size
        packed = gzip.compress(body) if encoding == "gzip" else body
        headers = {"Content-Encoding": encoding}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(packed))

    assert len(call(answered(calls.BYTES_MAX)).content) == calls.BYTES_MAX
    with pytest.raises(calls.AnswerTooLong):
        call(answered(calls.BYTES_MAX + 1))


def test_a_neighbour_that_drips_has_not_answered_when_our_own_caller_goes(clock: Clock) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, stream=Drip(clock, each_s=0.25))

    with httpx.Client(transport=httpx.MockTransport(answer), timeout=2.0) as http:
        neighbour = Neighbour("catalog", URL, 2.0, None, http)
        with request_with(left_s=1.0), pytest.raises(NoAnswer):
            neighbour.ask(["MUG-1"], Prices)

    assert clock.now_s <= 1_000.0 + 1.0
    assert len(asked) == 1
