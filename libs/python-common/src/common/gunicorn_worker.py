"""gunicorn's thread worker, but a request gets a thread only when it has arrived whole.

The thread worker gives each connection a thread with its first byte, so as many slow clients as it
has threads stop a service. Here the event loop collects requests; a client that dawdles costs a
buffer, and is cut off. Balancers of AWS stream bodies and do not shield us from this (ADR-0016).
"""

import re
import selectors
import time
from collections import deque
from functools import partial
from socket import socket
from typing import Any, Final

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

# A phone on a bad line sends a kilobyte in this time; whoever needs longer may ask again.
ARRIVE_WITHIN_S: Final = 10.0
# Sending and the rest of a large body: no single read or write may take longer.
STALL_S_MAX: Final = 10.0
# A stopping worker waits so long for the first byte on a new connection, and no longer.
SILENT_S_MAX: Final = 0.5
# What is collected before a thread sees it: every body but an import's (BODY_BYTES_MAX, and room
# for the headers). The rest of a larger one is read by the thread, which may refuse it first.
BUFFER_BYTES_MAX: Final = 1024 * 1024 + 64 * 1024
READ_BYTES: Final = 64 * 1024

_END_OF_HEADERS: Final = b"\r\n\r\n"
_CONTENT_LENGTH: Final = re.compile(
    rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE
)
# Such a client sends its body only once it is asked to (RFC 9110 §10.1.1).
_EXPECT: Final = re.compile(rb"\r\nexpect:", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_LAST_CHUNK: Final = re.compile(rb"\r\n0+(?:;[^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*\r\n\Z")
# The last chunk and its trailers are looked for in so many bytes: nobody of ours sends trailers,
# and a longer look could be made expensive.
_TAIL_BYTES: Final = 1024


def is_whole(received: bytes | bytearray) -> bool:
    """Whether a thread can answer *received* without waiting for the client.

    Only where a request ends is looked at. Whether it is one at all, gunicorn's parser decides.
    """
    headers_end = received.find(_END_OF_HEADERS)
    if headers_end < 0:
        return len(received) >= BUFFER_BYTES_MAX
    headers = bytes(received[: headers_end + 2])
    if _EXPECT.search(headers) or len(received) >= BUFFER_BYTES_MAX:
        return True
    body_start = headers_end + len(_END_OF_HEADERS)
    if _CHUNKED.search(headers):
        # From the line end of the headers on: an empty body is nothing but its last chunk.
        tail_start = max(headers_end + 2, len(received) - _TAIL_BYTES)
        return _LAST_CHUNK.search(received, tail_start) is not None
    length = _CONTENT_LENGTH.search(headers)
    return length is None or len(received) - body_start >= int(length.group(1))


class Connection(TConn):  # type: ignore[misc]  # gunicorn ships no types.
    """A connection and what has arrived of its next request."""

    def __init__(self, cfg: Any, sock: socket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.received = bytearray()
        self.arrive_by = 0.0

    def is_silent_at(self, now: float) -> bool:
        """Whether nothing has come of its request for SILENT_S_MAX."""
        began = self.arrive_by - ARRIVE_WITHIN_S
        return not self.received and now - began > SILENT_S_MAX

    def init(self) -> None:
        """Called by the thread first of all; blocking reads and writes are bounded from here."""
        super().init()
        self.sock.settimeout(STALL_S_MAX)
        if self.received:
            self.parser.unreader.unread(bytes(self.received))
            self.received.clear()


class BufferingThreadWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types.
    """Collects each request in the event loop, within ARRIVE_WITHIN_S."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.arriving: deque[Connection] = deque()  # The one that must be whole first comes first.

    def accept(self, listener: socket) -> None:
        try:
            client_socket, client_address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # Another process was faster, or the client has gone.
        self.nr_conns += 1
        conn = Connection(self.cfg, client_socket, client_address, listener.getsockname())
        self._await(conn)

    def on_client_socket_readable(self, conn: Connection, client: socket) -> None:
        """The next request of a kept-alive connection begins."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._await(conn)

    def murder_pending(self) -> None:
        """Close the connections whose request did not arrive in time."""
        now = time.monotonic()
        while self.arriving and self.arriving[0].arrive_by <= now:
            self._drop(self.arriving.popleft())
        if not self.alive:
            silent = [conn for conn in self.arriving if conn.is_silent_at(now)]
            for conn in silent:
                self.arriving.remove(conn)
                self._drop(conn)

    def _await(self, conn: Connection) -> None:
        conn.arrive_by = time.monotonic() + ARRIVE_WITHIN_S
        self.arriving.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._receive, conn))

    def _receive(self, conn: Connection, sock: socket) -> None:
        try:
            piece = sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # Reset by the client: nobody is left to answer.
            piece = b""
        conn.received += piece
        if piece and not is_whole(conn.received):
            return
        self.arriving.remove(conn)
        if not piece:
            self._drop(conn)
            return
        self.poller.unregister(sock)
        conn.data_ready = True
        self.enqueue_req(conn)

    def _drop(self, conn: Connection) -> None:
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
