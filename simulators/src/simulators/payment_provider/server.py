"""Serves the provider with gunicorn: one worker, eight threads. Knows no payment."""

import os
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.workers import gthread  # type: ignore[import-untyped]

from simulators.payment_provider import telemetry
from simulators.payment_provider.http.app import create_app
from simulators.payment_provider.sender import Sender
from simulators.payment_provider.settings import Settings
from simulators.payment_provider.storage.book import Book

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

# Eight slow answers may be waited for at once; the book takes one writer at a time anyway.
THREADS = 8

# SIGTERM is answered within a second; an answer that is later is a lost answer.
GRACEFUL_TIMEOUT_S = 1

# Longer than the shop's pool keeps a connection, so the client closes first and no request
# meets a connection that is just going away.
KEEPALIVE_S = 65


# How long SIGTERM waits for webhooks on their way. What is cut off is sent again after the start.
SENDER_STOP_S = 0.2


# Idle connections stay a moment for a request that is on its way. Gunicorn 27 gives them two
# seconds and no setting for it, but SIGTERM has only one.
STOP_LINGER_S = 0.1
assert hasattr(gthread, "STOP_KEEPALIVE_LINGER")
gthread.STOP_KEEPALIVE_LINGER = STOP_LINGER_S


class Worker(gthread.ThreadWorker):  # type: ignore[misc]
    """Gunicorn's threaded worker, which cuts slow answers short when it has to stop."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.app.stopping.set()
        super().handle_exit(sig, frame)


class Server(BaseApplication):  # type: ignore[misc]
    """Runs until SIGTERM. The listener is bound already: a taken port was told before."""

    def __init__(self, listener_fd: int, settings: Settings, data_dir: Path) -> None:
        self._listener_fd = listener_fd
        self._settings = settings
        self._data_dir = data_dir
        self._alive_reader, self._alive_writer = os.pipe()
        self.stopping = threading.Event()
        self._book: Book | None = None
        self._tracing: TracerProvider | None = None
        self._sender: Sender | None = None
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"fd://{self._listener_fd}",
            "worker_class": Worker,
            "workers": 1,
            "threads": THREADS,
            "graceful_timeout": GRACEFUL_TIMEOUT_S,
            "keepalive": KEEPALIVE_S,
            "control_socket_disable": True,
            "loglevel": "warning",
            "proc_name": "payment-provider",
            "post_fork": lambda _arbiter, _worker: self._die_with_arbiter(),
            "worker_exit": lambda _arbiter, _worker: self._finish(),
        }
        for name, setting in options.items():
            self.cfg.set(name, setting)

    def load(self) -> Flask:
        """Called in the worker: an SQLite connection and a span exporter survive no fork."""
        self._book = Book(self._data_dir)
        self._tracing = telemetry.provider()
        tracer = telemetry.tracer(self._tracing)
        self._sender = Sender(self._book, self._settings, tracer=tracer)
        app = create_app(self._settings, self._book, self.stopping, self._sender.wake)
        telemetry.install(app, self._tracing)
        if self._settings.webhook_url:
            self._sender.start()
        return app

    def _finish(self) -> None:
        """The worker's last act. A worker that never came up leaves with gunicorn's exit code."""
        if self._book is None or self._sender is None:
            return
        is_idle = self._sender.stop(SENDER_STOP_S)
        telemetry.flush(self._tracing)
        if is_idle:  # A thread that still sends would write into a closed book.
            self._book.close()
        os._exit(0)  # Tearing down the interpreter would take a third of SIGTERM's one second.

    def _die_with_arbiter(self) -> None:
        """Go down with a killed arbiter at once, as one process would.

        Gunicorn's worker notices within a second, and until then holds the port and the book.
        The pipe ends when its last writer, the arbiter, does.
        """
        os.close(self._alive_writer)
        threading.Thread(target=self._await_arbiter, daemon=True).start()

    def _await_arbiter(self) -> None:
        os.read(self._alive_reader, 1)
        os._exit(1)
