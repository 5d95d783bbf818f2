"""gunicorn's thread worker, but a request gets a thread only when it has arrived whole.

The thread worker gives each connection a thread with its first byte, so as many slow clients as it
has threads stop a service. Here the event loop collects requests; a client that dawdles costs a
buffer, and is cut off. Balancers of AWS stream bodies and do not shield us from this (ADR-0025).
"""

import selectors
import time
from concurrent.futures import Future
from functools import partial
from socket import SHUT_WR, socket
from typing import Any, Final

from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    STOP_KEEPALIVE_LINGER,
    ThreadWorker,
)

from common import deadline
from common.app import BODY_BYTES_ACCEPTED
from common.gunicorn_arrival import BUFFER_BYTES_MAX
from common.gunicorn_connection import AnswerSocket, Connection
from common.gunicorn_refusals import NotArrived, Overloaded, refuse

# A phone on a bad line sends a kilobyte in this time; whoever needs longer may ask again.
ARRIVE_WITHIN_S: Final = 10.0
# A file of 32 MiB at 4 Mbit/s, which is slow for an office that has a catalog.
LARGE_WITHIN_S: Final = 70.0
# Of these a process keeps so many at once: more than staff ever send, and 256 MiB of a disk.
LARGE_BODIES_MAX: Final = 8
# A stopping worker waits so long for the first byte on a new connection, and no longer.
SILENT_S_MAX: Final = 0.5
# Until a client that was refused in the middle of its request has read that (RFC 9112 §9.6).
LEAVE_WITHIN_S: Final = 2.0
# Eight threads answer so many in EDGE_DEADLINE_S when each needs a tenth of a second: whoever came
# behind them would not be there any more.
QUEUE_MAX: Final = 240
# Waits like the others and is never refused: who has too much to do is alive, and would be ended.
LIVENESS: Final = "/healthz"
READ_BYTES: Final = 64 * 1024
# A thousand connections are gone through so often, and not with each byte of one of them.
LOOK_EVERY_S: Final = 0.1

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class BufferingThreadWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types.
    """Collects each request in the event loop, within ARRIVE_WITHIN_S; no thread reads a socket."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # All that the event loop waits for, except idle connections, and until when.
        self.waiting: dict[Connection, float] = {}
        self.large: set[Connection] = set()  # Whose body lies on the disk, or will.
        self.handed_over = 0
        self.look_at = 0.0
        self.body_bytes_max = BUFFER_BYTES_MAX

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.body_bytes_max = self.wsgi.config.get(BODY_BYTES_ACCEPTED, BUFFER_BYTES_MAX)

    def accept(self, listener: socket) -> None:
        try:
            client_socket, client_address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # Another process was faster, or the client has gone.
        self.nr_conns += 1
        self._await(Connection(self.cfg, client_socket, client_address, listener.getsockname()))

    def on_client_socket_readable(self, conn: Connection, client: socket) -> None:
        """The next request of a kept-alive connection begins."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._await(conn)

    def murder_pending(self) -> None:
        """Give up the connections that have had their time. Called in each turn of the loop."""
        now = time.monotonic()
        if now < self.look_at:
            return
        self.look_at = now + LOOK_EVERY_S
        for conn, until in list(self.waiting.items()):
            if conn.is_leaving:
                if until <= now:
                    self._drop(conn)
            elif until <= now and conn.arrival.request:
                self._refuse(conn, NotArrived())
            elif until <= now or (not self.alive and conn.is_silent_for(now, SILENT_S_MAX)):
                self._drop(conn)

    def enqueue_req(self, conn: Connection) -> None:
        self.handed_over += 1
        super().enqueue_req(conn)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        deadline.count_from(conn.arrived_at)
        return super().handle_request(req, conn)

    def handle_error(self, _req: Any, client: AnswerSocket, addr: Any, exc: Exception) -> None:
        client.say(refuse(exc, addr[0]))

    def finish_request(self, conn: Connection, job: Future[Any]) -> None:
        """Called in the event loop when a thread is done with *conn*."""
        self.handed_over -= 1
        self.large.discard(conn)
        conn.arrival.close()
        if job.cancelled() or job.exception() or not job.result():
            self._leave(conn)
        elif conn.arrival.rest:
            self._await(conn)
        else:
            self._keep(conn)

    def _keepalive_after(self, _conn: Connection, keepalive: Any) -> bool:
        """Nothing is left to drain: the body has come, whether somebody read it or not."""
        return bool(keepalive)

    def _keep(self, conn: Connection) -> None:
        """Until its next request begins, or it was idle for too long; a stopping worker keeps it
        for a moment, because the client was told that it may go on."""
        conn.sock.settimeout(0)
        conn.set_timeout()
        if not self.alive:
            conn.timeout = min(conn.timeout, time.monotonic() + STOP_KEEPALIVE_LINGER)
        self.keepalived_conns.append(conn)
        readable = partial(self.on_client_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, readable)

    def _await(self, conn: Connection) -> None:
        rest = conn.await_request(self.body_bytes_max)
        self.waiting[conn] = conn.began_at + ARRIVE_WITHIN_S
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._receive, conn))
        if rest:
            self._take(conn, rest)

    def _receive(self, conn: Connection, sock: socket) -> None:
        try:
            piece = sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # Reset by the client: nobody is left to answer.
            piece = b""
        if not piece:
            self._drop(conn)
        elif not conn.is_leaving:
            self._take(conn, piece)

    def _take(self, conn: Connection, piece: bytes) -> None:
        try:
            conn.arrival.feed(piece)
            self._admit(conn)
        except Exception as error:  # noqa: BLE001  The loop goes on for all the others.
            self._refuse(conn, error)

    def _admit(self, conn: Connection) -> None:
        """Raises Overloaded."""
        arrival = conn.arrival
        if arrival.is_large and conn not in self.large:
            if len(self.large) >= LARGE_BODIES_MAX:
                raise Overloaded
            self.large.add(conn)
            self.waiting[conn] = conn.began_at + LARGE_WITHIN_S
        if arrival.take_expectation():
            conn.sock.say(_CONTINUE)
        if arrival.is_whole:
            assert arrival.request, "what is whole has a head"
            is_full = self.handed_over >= self.cfg.threads + QUEUE_MAX
            if is_full and arrival.request.path != LIVENESS:
                raise Overloaded
            self.poller.unregister(conn.sock)
            del self.waiting[conn]
            conn.arrived_at = time.monotonic()
            self.enqueue_req(conn)

    def _refuse(self, conn: Connection, error: Exception) -> None:
        conn.sock.say(refuse(error, conn.client[0]))
        self.poller.unregister(conn.sock)
        self._leave(conn)

    def _leave(self, conn: Connection) -> None:
        """Close it when the client has read the answer: what it still sends would reset it."""
        conn.is_leaving = True
        self.large.discard(conn)
        conn.arrival.close()
        try:
            conn.sock.settimeout(0)
            conn.sock.shutdown(SHUT_WR)
        except OSError:  # It has gone already.
            self._close(conn)
            return
        self.waiting[conn] = time.monotonic() + LEAVE_WITHIN_S
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._receive, conn))

    def _drop(self, conn: Connection) -> None:
        del self.waiting[conn]
        self.poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self.large.discard(conn)
        self.waiting.pop(conn, None)
        self.nr_conns -= 1
        conn.close()
