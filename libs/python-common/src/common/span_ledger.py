"""Which spans this process began and ended, written down before anybody can lose them.

A trace is complete when every span of these ledgers is stored; what a killed process took with it
is known by name. Nothing here reads a ledger, and nothing is written unless SPAN_LEDGER_DIR is
set. `harness.traces.ledger_writer` is the same text: the shop shares no code with who judges it.

A file a process, a line a fact:

    = {"service": "order", "role": "web", "instance": "order-web-7", "pid": 7}
    +<trace id> <span id> <parent span id or -> <start, ns> <linked trace ids, or -> <name>
    -<trace id> <span id>
    .                                                    the process ended in good order

The kernel lets go of the file's lock when the process is gone, however it went.
"""

import fcntl
import json
import logging
import os
import uuid
from pathlib import Path

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import format_span_id, format_trace_id

DIRECTORY_VARIABLE = "SPAN_LEDGER_DIR"
SUFFIX = ".spans"
# Three million spans: a ledger forgotten on a busy machine may not fill its disk.
BYTES_MAX = 512 * 1024 * 1024
CLOSED = b".\n"

log = logging.getLogger(__name__)


class SpanLedger(SpanProcessor):
    """Writes a line when a span begins and one when it ends: one write each, no lock, no buffer.

    A write to a file opened for appending is whole or not there, whichever thread makes it and
    whatever kills the process after it. A ledger that cannot be written says so in the log and
    stays silent from then on: its spans will be stored and not in it, which no reader takes for
    complete.
    """

    def __init__(self, directory: str, service: str, role: str) -> None:
        """directory: made if need be. Raises OSError when it cannot be written."""
        self._directory = Path(directory)
        self._service, self._role = service, role
        self._file = self._open()
        os.register_at_fork(after_in_child=self._reopen)

    def _open(self) -> int:
        self._directory.mkdir(parents=True, exist_ok=True)
        instance = f"{self._service}-{self._role}-{os.getpid()}"
        path = self._directory / f"{instance}-{uuid.uuid4().hex[:8]}{SUFFIX}"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o644)
        fcntl.flock(file, fcntl.LOCK_EX)  # Before the first line: a reader skips empty files.
        names = {"service": self._service, "role": self._role, "instance": instance}
        header = b"= %b\n" % json.dumps(names | {"pid": os.getpid()}).encode()
        self._written = os.write(file, header)
        return file

    def _reopen(self) -> None:
        """A fork shares its parent's lock, and would keep it when the parent is gone."""
        if self._file >= 0:
            os.close(self._file)
            self._file = self._open()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        context = span.get_span_context()
        parent = format_span_id(span.parent.span_id) if span.parent else "-"
        links = ",".join(format_trace_id(link.context.trace_id) for link in span.links) or "-"
        name = span.name.replace("\n", " ")
        trace_id, span_id = format_trace_id(context.trace_id), format_span_id(context.span_id)
        self._write(f"+{trace_id} {span_id} {parent} {span.start_time} {links} {name}\n".encode())

    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is not None:
            trace_id, span_id = format_trace_id(context.trace_id), format_span_id(context.span_id)
            self._write(f"-{trace_id} {span_id}\n".encode())

    def shutdown(self) -> None:
        """Say that this end is a good one. The lock goes with the process, not with this."""
        self._write(CLOSED)

    def force_flush(self, timeout_millis: int = 0) -> bool:  # noqa: ARG002
        """Nothing waits here to be written."""
        return True

    def _write(self, line: bytes) -> None:
        if self._file < 0:
            return
        try:
            written = os.write(self._file, line)
        except OSError as error:
            self._give_up(str(error))
            return
        self._written += written
        if written < len(line):
            self._give_up("the disk took a part of a line")
        elif self._written > BYTES_MAX:
            self._give_up(f"more than {BYTES_MAX} bytes")

    def _give_up(self, reason: str) -> None:
        """A shop sells on when its witness cannot write."""
        log.error("span_ledger_ended: %s", reason)
        os.close(self._file)
        self._file = -1


def from_environment(service: str, role: str) -> SpanLedger | None:
    """The ledger of this process, if SPAN_LEDGER_DIR is set."""
    directory = os.environ.get(DIRECTORY_VARIABLE)
    return SpanLedger(directory, service, role) if directory else None
