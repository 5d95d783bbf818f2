"""Traces on disk, to be read when no store runs any more. Asks no store and draws nothing.

`traces.jsonl.gz` holds one OTLP/JSON `TracesData` a line, as the OpenTelemetry Collector's file
exporter writes them and its `otlpjsonfile` receiver reads them. Each line is a gzip member of its
own (RFC 1952 §2.2), so that one trace is read without the others. `index.json` says where.
"""

import gzip
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from harness.traces.causality import Trace

# In the folder of a run, and in that.
FOLDER, LINES, INDEX = "traces", "traces.jsonl.gz", "index.json"
# 0.2 ms a checkout. Level 3 takes half of that for a sixth more, level 9 twice it for 2 % less.
COMPRESSION = 6


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index knows of a trace. offset: of its gzip member, in bytes."""

    trace_id: str
    order_id: str | None
    outcome: str
    offset: int


class TraceWriter:
    """Writes an archive into a folder, over one that is there. Use it with `with`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._index = folder / INDEX
        self._lines = (folder / LINES).open("wb")
        self._entries: list[Entry] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The index comes last, and comes also when the run was broken off."""
        self._lines.close()
        self._index.write_bytes(orjson.dumps([asdict(entry) for entry in self._entries]))

    def add(
        self, traces: Mapping[str, Any], *, trace_id: str, order_id: str | None, outcome: str
    ) -> None:
        """traces: OTLP/JSON `TracesData` of this one trace."""
        self._entries.append(Entry(trace_id, order_id, outcome, self._lines.tell()))
        line = orjson.dumps(traces, option=orjson.OPT_APPEND_NEWLINE)
        self._lines.write(gzip.compress(line, COMPRESSION, mtime=0))


def find(folder: Path, wanted: str) -> Entry | None:
    """The entry of an order or trace id; None if the archive, or all of it, is not there."""
    index = folder / INDEX
    if not index.exists():
        return None
    entries = (Entry(**entry) for entry in orjson.loads(index.read_bytes()))
    return next((e for e in entries if wanted in (e.trace_id, e.order_id)), None)


def read(folder: Path, entry: Entry) -> Trace:
    with (folder / LINES).open("rb") as lines:
        lines.seek(entry.offset)
        with gzip.GzipFile(fileobj=lines) as member:
            return Trace.from_otlp(orjson.loads(member.readline()))
