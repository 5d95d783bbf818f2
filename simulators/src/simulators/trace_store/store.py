"""Spans in memory, by trace. Bounded: the oldest traces make room. `journal` outlives the process.

A ring by trace, as Jaeger's memory store: what leaves is whole traces, first seen first. A span
that comes late for a trace that left starts it anew.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from weakref import WeakValueDictionary

# What the interpreter takes beside the bytes of a span (two bytes objects' headers, the span id, a
# dictionary slot) and of a trace (its id, dictionaries, a slot). Measured with tracemalloc.
SPAN_OVERHEAD_BYTES = 150
TRACE_OVERHEAD_BYTES = 600


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Source:
    """The resource and scope of spans, serialized. Interned, hence compared by identity."""

    resource: bytes
    scope: bytes
    resource_schema_url: bytes
    scope_schema_url: bytes

    @property
    def content(self) -> tuple[bytes, bytes, bytes, bytes]:
        return self.resource, self.scope, self.resource_schema_url, self.scope_schema_url


Record = tuple[bytes, bytes, bytes]  # trace id, span id, the serialized span
Batch = tuple[Source, list[Record]]
StoredTrace = dict[Source, dict[bytes, bytes]]  # source -> span id -> the serialized span


@dataclass(frozen=True)
class Stats:
    traces: int
    spans: int
    bytes: int  # what they take in memory, overhead included
    evicted: int  # traces that left to make room, since the start
    duplicates: int  # spans that came again, since the start


class Store:
    """Safe to use from several threads."""

    def __init__(self, *, max_traces: int, max_bytes: int) -> None:
        self._max_traces, self._max_bytes = max_traces, max_bytes
        self._lock = threading.Lock()
        self._traces: OrderedDict[bytes, StoredTrace] = OrderedDict()
        # Every request of a process repeats its resource and scopes; they are kept once, and only
        # while a span of theirs is kept.
        self._sources: WeakValueDictionary[tuple[bytes, bytes, bytes, bytes], Source]
        self._sources = WeakValueDictionary()
        self._spans = self._bytes = self._evicted = self._duplicates = 0

    def add(self, batches: Iterable[Batch]) -> None:
        """Keep these spans. One that is there already (an exporter retried) is dropped."""
        with self._lock:
            for source, records in batches:
                self._add_batch(self._sources.setdefault(source.content, source), records)
            self._make_room()

    def _add_batch(self, source: Source, records: list[Record]) -> None:
        for trace_id, span_id, span in records:
            trace = self._traces.get(trace_id)
            if trace is None:
                trace = self._traces[trace_id] = {}
                self._bytes += TRACE_OVERHEAD_BYTES
            spans = trace.setdefault(source, {})
            if span_id in spans:
                self._duplicates += 1
            else:
                spans[span_id] = span
                self._spans += 1
                self._bytes += len(span) + SPAN_OVERHEAD_BYTES

    def _make_room(self) -> None:
        while self._traces and (
            len(self._traces) > self._max_traces or self._bytes > self._max_bytes
        ):
            _, trace = self._traces.popitem(last=False)
            self._evicted += 1
            self._bytes -= TRACE_OVERHEAD_BYTES
            for spans in trace.values():
                self._spans -= len(spans)
                self._bytes -= sum(map(len, spans.values())) + SPAN_OVERHEAD_BYTES * len(spans)

    def get(self, trace_id: bytes) -> StoredTrace | None:
        """A copy of the trace as it is now; None when nothing of it is here."""
        with self._lock:
            return self._copy(trace_id) if trace_id in self._traces else None

    def recent(self, limit: int) -> list[StoredTrace]:
        """Copies of the traces last begun, latest first."""
        with self._lock:
            return [self._copy(trace_id) for trace_id in islice(reversed(self._traces), limit)]

    def _copy(self, trace_id: bytes) -> StoredTrace:
        return {source: spans.copy() for source, spans in self._traces[trace_id].items()}

    def stats(self) -> Stats:
        with self._lock:
            return Stats(
                len(self._traces), self._spans, self._bytes, self._evicted, self._duplicates
            )
