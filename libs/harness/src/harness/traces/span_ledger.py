"""Reads which spans the shop's processes say they began and ended, and holds them against a store.

The format is `ledger_writer`'s. A process is alive as long as the kernel keeps its file locked, so
neither a pid that was given out again nor a container changes the answer. Writes nothing.
"""

import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.traces.ledger_writer import CLOSED, SUFFIX
from harness.traces.spans import LOST_WITH, Kind, Span, SpanKey

BEGUN, ENDED, HEADER, NOTHING = b"+", b"-", b"= ", "-"


@dataclass(slots=True)
class Keeper:
    """A process that keeps a ledger, and how far its file was read."""

    path: Path
    service: str
    role: str
    instance: str
    pid: int
    is_alive: bool = True
    ended_well: bool = False
    read_to: int = 0

    def fate(self) -> str:
        """For a reader: `payment-worker-7 (pid 7), which was killed`."""
        how = "ended without sending all it had" if self.ended_well else "was killed"
        return f"{self.instance} (pid {self.pid}), which {'is alive' if self.is_alive else how}"


@dataclass(slots=True)
class Entry:
    """One span, as the process that made it wrote it down."""

    key: SpanKey
    parent_span_id: str | None
    start_ns: int
    linked: tuple[str, ...]  # ids of the traces it links to
    name: str
    keeper: Keeper
    has_ended: bool = False

    def __str__(self) -> str:
        return f"{self.keeper.service}: {self.name}"

    def as_lost_span(self) -> Span:
        """What can still be said of it: who began what, when, because of whom.

        Without an instance, because when it ended is not known: it orders nothing in its process.
        """
        return Span(
            trace_id=self.key[0],
            span_id=self.key[1],
            parent_span_id=self.parent_span_id,
            name=self.name,
            kind=Kind.UNSPECIFIED,
            service=self.keeper.service,
            start_ns=self.start_ns,
            end_ns=self.start_ns,
            attributes={LOST_WITH: self.keeper.instance},
        )


@dataclass(frozen=True)
class Account:
    """The ledgers of some traces held against what a store has of them."""

    running: tuple[Entry, ...]  # begun, not ended, by a process that lives
    unsent: tuple[Entry, ...]  # ended and not stored; the process lives and may still send it
    lost: tuple[Entry, ...]  # not stored, and the process is gone
    unlisted: tuple[Span, ...]  # stored, and in no ledger

    def __bool__(self) -> bool:
        return bool(self.running or self.unsent or self.lost or self.unlisted)

    @property
    def to_come(self) -> tuple[Entry, ...]:
        return self.running + self.unsent

    def lines(self) -> list[str]:
        """Each fault for a person; nothing when every span of the ledgers is stored."""
        return [
            *(f"{entry} is still running in {entry.keeper.instance}" for entry in self.running),
            *(
                f"{entry} ended in {entry.keeper.instance} and is not stored"
                for entry in self.unsent
            ),
            *(f"{entry} was lost with {entry.keeper.fate()}" for entry in self.lost),
            *(f"{span.service}: {span.name} is stored and in no ledger" for span in self.unlisted),
        ]


@dataclass
class Ledger:
    """All ledgers of a directory. Each look reads only what was written since the last."""

    directory: Path
    _keepers: dict[Path, Keeper] = field(default_factory=dict)
    _traces: dict[str, dict[SpanKey, Entry]] = field(default_factory=lambda: defaultdict(dict))
    _links: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def refresh(self) -> None:
        """Read what is new. A process that is found gone was asked before its file was read."""
        for path in sorted(self.directory.glob(f"*{SUFFIX}")):
            keeper = self._keepers.get(path)
            if keeper and not keeper.is_alive:
                continue
            alive = _is_locked(path)  # Before reading: what it wrote until then is then read.
            with path.open("rb") as file:
                file.seek(keeper.read_to if keeper else 0)
                lines = file.read()
            whole = lines[: lines.rfind(b"\n") + 1]  # A line that is being written waits.
            keeper = keeper or _keeper(path, whole)
            if keeper is None:
                continue
            self._keepers[path] = keeper
            keeper.is_alive = alive
            keeper.read_to += len(whole)
            for line in whole.splitlines(keepends=True):
                self._take(line, keeper)

    def _take(self, line: bytes, keeper: Keeper) -> None:
        if line[:1] == BEGUN:
            trace_id, span_id, parent, start, links, name = line[1:-1].decode().split(" ", 5)
            linked = () if links == NOTHING else tuple(links.split(","))
            key, parent_id = (trace_id, span_id), None if parent == NOTHING else parent
            entry = Entry(key, parent_id, int(start), linked, name, keeper)
            entry.has_ended = key in self._traces[trace_id]
            self._traces[trace_id][key] = entry
            for other in linked:
                self._links[other].add(trace_id)
        elif line[:1] == ENDED:
            trace_id, span_id = line[1:-1].decode().split(" ")
            self._ended((trace_id, span_id), keeper)
        elif line == CLOSED:
            keeper.ended_well = True

    def _ended(self, key: SpanKey, keeper: Keeper) -> None:
        entry = self._traces[key[0]].get(key)
        if entry is None:  # Begun before a fork, in a file that is read after this one.
            entry = Entry(key, None, 0, (), "(unknown)", keeper)
            self._traces[key[0]][key] = entry
        entry.has_ended = True

    def entries(self, trace_ids: Iterable[str]) -> list[Entry]:
        """As of the last `refresh`."""
        return [
            entry
            for trace_id in trace_ids
            if trace_id in self._traces
            for entry in self._traces[trace_id].values()
        ]

    def links_to(self, trace_id: str) -> frozenset[str]:
        """The other traces in which a span links to *trace_id*."""
        return frozenset(self._links.get(trace_id, ())) - {trace_id}

    def living(self) -> frozenset[tuple[str, str]]:
        """(service, role) of every process that keeps a ledger now."""
        return frozenset((k.service, k.role) for k in self._keepers.values() if k.is_alive)

    def account(self, trace_ids: Collection[str], stored: Mapping[SpanKey, Span]) -> Account:
        """As of the last `refresh`; *stored* has to be read after it."""
        entries = self.entries(trace_ids)
        missing = [entry for entry in entries if entry.key not in stored]
        listed = {entry.key for entry in entries}
        return Account(
            running=tuple(e for e in entries if not e.has_ended and e.keeper.is_alive),
            unsent=tuple(e for e in missing if e.has_ended and e.keeper.is_alive),
            lost=tuple(e for e in missing if not e.keeper.is_alive),
            unlisted=tuple(span for key, span in stored.items() if key not in listed),
        )


def _keeper(path: Path, lines: bytes) -> Keeper | None:
    header = lines.partition(b"\n")[0]
    if not header.startswith(HEADER):
        return None
    names = json.loads(header.removeprefix(HEADER))
    return Keeper(path, names["service"], names["role"], names["instance"], names["pid"])


def _is_locked(path: Path) -> bool:
    """Whether the process that writes this file is there."""
    file = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def of(directory: str) -> "Ledger | None":
    """The ledgers a stack keeps; None if it keeps none."""
    return Ledger(Path(directory)) if directory else None
