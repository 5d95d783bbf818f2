"""`python -m simulators.trace_store --otlp-port 4318 --query-port 16686 --host 127.0.0.1`"""

import argparse
import gc
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]  # It ships no types.

from simulators.trace_store.answer import WSGIApp
from simulators.trace_store.app import create_app
from simulators.trace_store.journal import Journal, requests
from simulators.trace_store.store import Store
from simulators.trace_store.wire import read_request

# Jaeger's usual ports.
OTLP_PORT = 4318
QUERY_PORT = 16686

# The first limit to be reached: 1 GiB is about 30,000 checkouts of 60 spans, ten minutes at 50/s.
MAX_TRACES = 200_000
MAX_BYTES = 1024**3

# Fourteen exporters hold a connection each and send in bursts; more threads only share one core.
THREADS = 8

# Longer than an exporter ever pauses while in use, so that no send meets a connection just closed.
KEEPALIVE_S = 75

# What was answered is in the journal, so a stop need not wait for connections that are merely open.
GRACEFUL_STOP_S = 1

# The arbiter would kill a worker that is silent for a time; on a machine that was suspended or is
# overloaded, silence is no fault.
SILENCE_TIMEOUT_OFF = 0


class Server(BaseApplication):  # type: ignore[misc]  # The untyped base class is gunicorn's way in.
    """gunicorn with one worker, whose memory the store is, and a few threads."""

    def __init__(self, build: Callable[[], WSGIApp], settings: dict[str, Any]) -> None:
        self._build, self._settings = build, settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApp:
        """Called in each worker: one that comes after a killed one takes up all that was kept."""
        return self._build()


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="trace_store", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--otlp-port", type=int, default=OTLP_PORT)
    parser.add_argument("--query-port", type=int, default=QUERY_PORT)
    parser.add_argument("--max-traces", type=int, default=MAX_TRACES)
    parser.add_argument("--max-bytes", type=int, default=MAX_BYTES)
    parser.add_argument("--data-dir", type=Path, help="keep spans here; only in memory without")
    return parser.parse_args(argv)


def settings(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "bind": [f"{args.host}:{args.otlp_port}", f"{args.host}:{args.query_port}"],
        "workers": 1,
        "worker_class": "gthread",
        "threads": THREADS,
        "keepalive": KEEPALIVE_S,
        "timeout": SILENCE_TIMEOUT_OFF,
        "graceful_timeout": GRACEFUL_STOP_S,
        # Its default path is the same for every gunicorn of a user: the last to start takes it.
        "control_socket_disable": True,
        "accesslog": None,
        "loglevel": "warning",
        # What exists before the fork stays shared with the parent if the collector leaves it alone.
        "pre_fork": lambda _arbiter, _worker: gc.freeze(),
        "when_ready": lambda _: announce(args),
    }


def build(args: argparse.Namespace) -> WSGIApp:
    """The store with everything that its folder holds."""
    store = Store(max_traces=args.max_traces, max_bytes=args.max_bytes)
    journal = Journal(args.data_dir) if args.data_dir else None
    if journal:
        for request in requests(args.data_dir):
            store.add(read_request(request))
    return create_app(store, otlp_port=args.otlp_port, journal=journal)


def announce(args: argparse.Namespace) -> None:
    sys.stdout.write(
        f"trace store: spans to http://{args.host}:{args.otlp_port}/v1/traces,"
        f" traces at http://{args.host}:{args.query_port}/\n"
    )
    sys.stdout.flush()


def main() -> None:
    args = arguments()
    Server(partial(build, args), settings(args)).run()


if __name__ == "__main__":
    main()
