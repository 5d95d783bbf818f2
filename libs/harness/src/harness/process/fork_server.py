"""A process that has imported what all Python processes of the shop share, and forks them.

`python -m harness.process.fork_server --socket FD`. Forked children start in milliseconds and share
the memory of those modules. It has one thread, opens no connection, and restarts nothing.
"""

import argparse
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.process import parent_death
from harness.process.surroundings import REGION

# What two or more of the processes import. Nothing here may start a thread, open a socket
# or read its environment for good when imported: children inherit the result.
WARM_MODULES = (
    "alembic.command",
    "argon2",
    "boto3",
    "common.app",
    "common.idempotency",
    "common.migrations",
    "common.worker",
    "flask",
    "gunicorn.app.wsgiapp",
    "common.gunicorn_worker",
    "gunicorn.workers.gthread",
    "httpx",
    "jwt",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.instrumentation.flask",
    "opentelemetry.instrumentation.httpx",
    "opentelemetry.sdk.trace.export",
    "orjson",
    "psycopg2.extras",
    "pydantic_settings",
    "redis",
    "requests",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "structlog",
    "uuid_utils",
    "yaml",
)
# Their descriptions are 200 KiB of JSON each, and become classes when a client is made.
WARM_AWS_SERVICES = ("sns", "sqs")
RECEIVE_BYTES = 65_536


@dataclass(frozen=True)
class Request:
    """kind: ``module`` or ``gunicorn``. env: everything the child sees. log: what it writes to.

    birth: a number that comes back in the answer.
    """

    birth: int
    name: str
    kind: str
    argv: list[str]
    env: dict[str, str]
    log: str
    cwd: str


def warm_up() -> None:
    """Import, and put what exists beyond the reach of the garbage collector.

    A collection writes to the header of every object, which would unshare all its pages.
    """
    gc.disable()  # What is imported stays: looking for garbage in it is a fifth of the time.
    for name in WARM_MODULES:
        importlib.import_module(name)
    _describe_aws()
    gc.collect()
    gc.freeze()
    gc.enable()


def _describe_aws() -> None:
    """Fill the caches of boto3's default session, which children inherit and use.

    The clients are made for nothing else, and thrown away unused: none of them connects.
    """
    import boto3

    for service in WARM_AWS_SERVICES:
        boto3.client(service, region_name=REGION).close()  # type: ignore[call-overload]


class ForkServer:
    """Answers requests on *channel*, one JSON object a line, until its other end closes."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._names: dict[int, str] = {}
        self._wake_reader, self._wake_writer = socket.socketpair()
        for end in (self._wake_reader, self._wake_writer):
            end.setblocking(False)  # noqa: FBT003  The standard library's signature.

    def serve(self) -> Request | None:
        """Returns None when told to end, and in each forked child what that child is to be."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        self._send({"event": "ready"})
        for line in self._lines():
            request = Request(**json.loads(line))
            pid = self._fork(request)
            if pid == 0:
                return request
            self._names[pid] = request.name
            born = {"birth": request.birth, "name": request.name, "pid": pid}
            self._send({"event": "started", **born})
        return None

    def _lines(self) -> Iterator[bytes]:
        """Requests as they come; reports exits in between."""
        buffer = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(self._wake_reader, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._wake_reader in ready:
                    self._wake_reader.recv(RECEIVE_BYTES)
                    self._report_exits()
                if self._channel not in ready:
                    continue
                received = self._channel.recv(RECEIVE_BYTES)
                if not received:
                    return
                *lines, buffer = (buffer + received).split(b"\n")
                yield from lines

    def _fork(self, request: Request) -> int:
        tasks = len(os.listdir("/proc/self/task"))
        assert tasks == 1, f"{tasks} threads: a fork would copy locks that nobody holds"
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            parent_death.die_with_parent(parent, signal.SIGKILL)
            self._become_child(request)
        return pid

    def _become_child(self, request: Request) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for end in (self._channel, self._wake_reader, self._wake_writer):
            end.close()
        os.setsid()
        parent_death.name_this_process(request.name)
        parent_death.keep_children_mortal()
        _redirect_output(Path(request.log))
        os.environ.clear()
        os.environ.update(request.env)
        os.chdir(request.cwd)

    def _report_exits(self) -> None:
        # One SIGCHLD may stand for several exits.
        while self._names:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            self._send({"event": "exited", "name": self._names.pop(pid), "pid": pid, "code": code})

    def _send(self, message: dict[str, Any]) -> None:
        self._channel.sendall(json.dumps(message).encode() + b"\n")


def _redirect_output(log: Path) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    os.close(output)


def _run(request: Request) -> None:
    """Be `python -m …` or `gunicorn …` until it ends."""
    for path in reversed(request.env.get("PYTHONPATH", "").split(os.pathsep)):
        if path and path not in sys.path:
            sys.path.insert(0, path)
    if request.kind == "gunicorn":
        from gunicorn.app.wsgiapp import WSGIApplication  # type: ignore[import-untyped]

        sys.argv = ["gunicorn", *request.argv]
        WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]").run()
    else:
        sys.argv = list(request.argv)
        runpy.run_module(request.argv[0], run_name="__main__", alter_sys=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m harness.process.fork_server", description=__doc__
    )
    parser.add_argument("--socket", type=int, required=True, help="inherited from the supervisor")
    parser.add_argument("--parent", type=int, required=True, help="pid of the supervisor")
    options = parser.parse_args()
    parent_death.die_with_parent(options.parent, signal.SIGKILL)
    parent_death.name_this_process("fork-server")
    # Ctrl-C in a terminal reaches the whole foreground group; the supervisor decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm_up()
    request = ForkServer(socket.socket(fileno=options.socket)).serve()
    if request is not None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _run(request)


if __name__ == "__main__":
    main()
