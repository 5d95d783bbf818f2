"""A small shop of ledgers, a store and a flow, in which every fault can be planted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.proof.quiescence import Barrier
from harness.traces.causality import Trace
from harness.traces.span_ledger import Ledger
from harness.traces.spans import Kind, Span

TRACE_ID = "a" * 32
KEEPERS = frozenset({("order", "web"), ("payment", "worker")})


def span_of(number: int, service: str, name: str, parent: int | None = None, **more: Any) -> Span:
    """Span *number* begins at *number* ms and takes one, unless *more* says otherwise."""
    fields: dict[str, Any] = {
        "trace_id": TRACE_ID,
        "span_id": f"{number:016x}",
        "parent_span_id": None if parent is None else f"{parent:016x}",
        "name": name,
        "kind": Kind.INTERNAL,
        "service": service,
        "start_ns": number * 1_000_000,
        "end_ns": (number + 1) * 1_000_000,
    }
    return Span(**(fields | more))


class Store:
    """Answers like a trace reader; *later* appears after so many reads."""

    def __init__(self, *spans: Span, later: Sequence[Span] = (), after: int = 0) -> None:
        self.spans, self._later, self._after, self.reads = list(spans), later, after, 0

    def fetch(self, trace_id: str) -> Trace | None:
        self.reads += 1
        if self.reads > self._after:
            self.spans += self._later
            self._later = ()
        found = tuple(span for span in self.spans if span.trace_id == trace_id)
        return Trace(found) if found else None


class LedgerFile:
    """A ledger as a process writes it. Its process is alive until `die`."""

    def __init__(self, directory: Path, service: str, role: str) -> None:
        import fcntl
        import json

        directory.mkdir(exist_ok=True)
        self.file = (directory / f"{service}-{role}.spans").open("ab", buffering=0)
        fcntl.flock(self.file, fcntl.LOCK_EX)
        names = {"service": service, "role": role, "instance": f"{service}-{role}-7", "pid": 7}
        self.write(f"= {json.dumps(names)}")

    def write(self, line: str) -> None:
        self.file.write(f"{line}\n".encode())

    def begin(self, span: Span) -> None:
        parent = span.parent_span_id or "-"
        links = ",".join(link.trace_id for link in span.links) or "-"
        self.write(f"+{span.trace_id} {span.span_id} {parent} {span.start_ns} {links} {span.name}")

    def end(self, span: Span) -> None:
        self.write(f"-{span.trace_id} {span.span_id}")

    def whole(self, *spans: Span) -> None:
        for span in spans:
            self.begin(span)
            self.end(span)

    def die(self) -> None:
        """The kernel closes the files of a process that was killed."""
        self.file.close()


def barrier(
    store: Store,
    directory: Path | None,
    *,
    stirring: Any = lambda _: [],
    consumers: Mapping[str, frozenset[str]] | None = None,
) -> Barrier:
    ledger = Ledger(directory) if directory else None
    reader: Any = store
    return Barrier(reader, ledger, stirring, consumers or {}, KEEPERS)
