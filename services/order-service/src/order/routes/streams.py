"""Server-sent events (WHATWG HTML, 9.2): frames, how many streams at once, and when one ends.

Knows nothing of orders. A stream holds a thread for as long as it lives, so that all here is about
giving it back: to the next shopper, to a process that stops, after a client that has gone.
"""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import orjson
from common.errors import Malformed, Unavailable
from common.metrics import meter
from flask import Response

# Half of a web process's eight threads: the other half answers everybody who does not wait.
STREAMS_MAX: Final = 4
# Nobody minds half a second; four streams ask eight times a second, each time for 0.8 ms.
POLL_S: Final = 0.5
# WHATWG HTML, 9.2.8: proxies close what is silent for longer, so a comment about every 15 s.
HEARTBEAT_S: Final = 15.0
# Half of an access token's life, so that nobody watches long after they may.
LIFE_S: Final = 300.0
# Until a client whose stream ended asks again: as long as the `Retry-After` of our refusals.
RETRY_MS: Final = 1_000
# Most orders are settled in less, so by then somebody has left.
RETRY_AFTER_S: Final = 5
EVENT_ID_DIGITS_MAX: Final = 9

HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would collect what is to be seen now.
}

_open = meter.create_up_down_counter("app.order.streams", "{stream}", "Open at the moment.")
_refused = meter.create_counter("app.order.streams.refused", "{stream}", "For want of a thread.")


class TooManyStreams(Unavailable):
    title = "Too many streams are open"


class MalformedEventId(Malformed):
    title = "The Last-Event-ID header is malformed"


@dataclass(frozen=True, slots=True)
class News:
    """What is to be sent now. is_last: nothing will follow."""

    frames: tuple[str, ...] = ()
    is_last: bool = False


class Streams:
    """The streams of one process. most: how many may be open at once."""

    def __init__(self, most: int = STREAMS_MAX) -> None:
        self._free = threading.BoundedSemaphore(most)

    def respond(self, frames: Iterable[str]) -> Response:
        """*frames* as they come, in the thread of this request. Raises TooManyStreams."""
        if not self._free.acquire(blocking=False):
            _refused.add(1)
            raise TooManyStreams("watch it later, or read it", retry_after_s=RETRY_AFTER_S)
        _open.add(1)
        place = ExitStack()  # Given back once, however often a response is closed.
        place.callback(self._leave)
        response = Response(frames, headers=HEADERS, content_type="text/event-stream")
        # The server closes it however it ends, even one whose body nobody wanted (HEAD).
        response.call_on_close(place.close)
        return response

    def _leave(self) -> None:
        _open.add(-1)
        self._free.release()


def follow(
    first: News,
    look: Callable[[], News],
    is_over: Callable[[], bool],
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[str]:
    """*first*, then whatever *look* finds every POLL_S, until the last, or LIFE_S, or *is_over*."""
    end_at = clock() + LIFE_S
    yield f"retry: {RETRY_MS}\n\n" + "".join(first.frames)
    spoken_at, is_last = clock(), first.is_last
    while not is_last and clock() < end_at and not is_over():
        pause(POLL_S)
        news = look()
        is_last = news.is_last
        if news.frames:
            yield "".join(news.frames)
            spoken_at = clock()
        elif clock() - spoken_at >= HEARTBEAT_S:
            yield ": still here\n\n"
            spoken_at = clock()


def frame(name: str, id_: int, content: object) -> str:
    """One event. JSON has no raw line ends, so it is one `data` line."""
    return f"event: {name}\nid: {id_}\ndata: {orjson.dumps(content).decode()}\n\n"


def read_last_event_id(header: str | None) -> int | None:
    """The last event seen; None for somebody who was not here before. Raises MalformedEventId."""
    if header is None:
        return None
    is_number = header.isascii() and header.isdigit() and len(header) <= EVENT_ID_DIGITS_MAX
    if not is_number or header.startswith("0"):
        raise MalformedEventId("send what `id` said, or nothing")
    return int(header)


def has_gone(client: socket.socket | None) -> bool:
    """Whether *client* has closed its side; None, as in a test without a server, never does."""
    if client is None:
        return False
    poll = select.poll()
    try:
        poll.register(client, select.POLLIN)
        # Readable and nothing to read is the end; anything to read is an impatient next request.
        return bool(poll.poll(0)) and client.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):  # Reset, or closed by us.
        return True
