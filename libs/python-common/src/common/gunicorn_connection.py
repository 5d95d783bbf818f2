"""A connection as our gunicorn worker holds it: what has arrived, and how long it may be read."""

import errno
import time
from contextlib import suppress
from socket import socket
from typing import Any, Final

from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from common.gunicorn_arrival import Arrival

# For how long a reader may keep a thread waiting, over a whole answer. Time in which there is
# nothing to send does not count, so that a stream of events may last.
READER_S_MAX: Final = 10.0


class AnswerSocket(socket):
    """A socket whose peer has so much patience of ours, for all that is sent of one answer."""

    patience_s = READER_S_MAX

    def sendall(self, content: Any, flags: int = 0) -> None:
        """Raises ConnectionResetError also for a reader who is too slow: nobody is left to tell,
        and gunicorn logs it as it logs a client that has gone."""
        began = time.monotonic()
        try:
            self.settimeout(max(self.patience_s, 1e-3))  # 0 would mean: do not wait at all.
            super().sendall(content, flags)
        except TimeoutError as error:
            raise ConnectionResetError(errno.ECONNRESET, "the reader is too slow") from error
        finally:
            self.patience_s -= time.monotonic() - began

    def say(self, answer: bytes) -> None:
        """Send *answer* without waiting: it is short, and whoever does not take it has gone."""
        with suppress(OSError):
            self.settimeout(0)
            self.send(answer)


class Connection(TConn):  # type: ignore[misc]  # gunicorn ships no types.
    """A connection and what has arrived of its next request."""

    def __init__(self, cfg: Any, sock: socket, client: Any, server: Any) -> None:
        answer_socket = AnswerSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
        super().__init__(cfg, answer_socket, client, server)
        self.arrival = Arrival(cfg, client, 0)
        self.began_at = self.arrived_at = 0.0
        self.is_leaving = False
        self.data_ready = True  # No thread is to wait for it.

    def await_request(self, body_bytes_max: int) -> bytes:
        """Begin with the next request; returns what came of it behind the one before."""
        rest = self.arrival.rest
        self.arrival.close()
        self.sock.settimeout(0)
        self.arrival = Arrival(self.cfg, self.client, body_bytes_max)
        self.began_at = time.monotonic()
        return rest

    def is_silent_for(self, now: float, silent_s: float) -> bool:
        """Whether nothing has come of its request for *silent_s*."""
        return self.arrival.is_silent and now - self.began_at > silent_s

    def init(self) -> None:
        """Called by the thread first of all; all it will read has come."""
        self.sock.patience_s = READER_S_MAX
        self.parser = iter([self.arrival.request])

    def close(self) -> None:
        self.arrival.close()
        super().close()
