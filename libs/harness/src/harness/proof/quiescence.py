"""Waits until a flow is over and everything of it is stored, and freezes it. Judges nothing.

The order of the looks is the proof (ADR-0019): no span of the flow runs; then nothing of it waits
in the shop; then the ledgers hold no span more than before. So nothing can have begun in between,
and nothing is left that could begin something. That nothing arrived for a while proves nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.proof.stopwatch import Cost, Stopwatch
from harness.traces import conventions
from harness.traces.causality import Trace
from harness.traces.conventions import process_span, publish_span
from harness.traces.reader import TraceReader
from harness.traces.span_ledger import Account, Entry, Ledger
from harness.traces.spans import Kind

# Exporters send every 0.1 to 0.5 s and a checkout takes one or two; the rest is patience.
WHOLE_WITHIN_S = 30.0
POLL_FIRST_S, POLL_MAX_S, POLL_GROWTH = 0.02, 0.25, 1.5
# What a process sent right before its end may take this long from the store's door to its shelf.
LOST_AFTER_S = 1.0
# Without ledgers: as many looks must find the same, which makes it likely and proves nothing.
SAME_LOOKS = 3
# A scenario has a handful of traces; hundreds are a link that leads into everybody's.
TRACES_MAX = 50

NO_LEDGER = "the shop keeps no span ledger, so nobody can say how many spans there are"
NO_BOOKS = "the shop's books are closed to us, so nobody can say whether more is to come"
TOO_MANY = f"more than {TRACES_MAX} traces hang together, and not all of them were followed"

Stirring = Callable[[str], Sequence[str]]
Roles = frozenset[tuple[str, str]]


class TraceIncomplete(AssertionError):
    """The trace did not become complete in time. The message holds what is missing and the tree."""

    def __init__(self, message: str, trace: Trace | None) -> None:
        super().__init__(message)
        self.trace = trace


@dataclass(frozen=True)
class Frozen:
    """The causal closure of one trace, as it will be judged.

    trace: with a stand-in for each lost span. gaps: why it is not proven complete; empty: it is.
    lost: spans that went with their process, which are known by name only.
    mark: how many spans the ledgers held of it; None without ledgers.
    """

    trace_id: str
    trace: Trace
    gaps: tuple[str, ...] = ()
    lost: tuple[Entry, ...] = ()
    mark: int | None = None
    cost: Cost | None = None


@dataclass(frozen=True)
class Barrier:
    """Freezes flows of one shop.

    stirring: what of a flow still moves, by trace id; None if the shop's books are closed to us.
    consumers: who handles which event type, by the topology.
    keepers: (service, role) of all that must keep a ledger for a flow to be proven complete.
    flush: sends the spans of this very process. page_of: where a person looks at a trace.
    """

    reader: TraceReader
    ledger: Ledger | None
    stirring: Stirring | None
    consumers: Mapping[str, frozenset[str]]
    keepers: Roles = frozenset()
    flush: Callable[[], None] = lambda: None
    page_of: Callable[[str], str] = str

    def freeze(self, trace_id: str, within_s: float = WHOLE_WITHIN_S) -> Frozen:
        """The flow of *trace_id* with every trace that links to it or that it links to.

        Raises TraceIncomplete after *within_s*; it says what is missing and shows what is there.
        """
        looking = _Looking(self, trace_id)
        give_up_at = time.monotonic() + within_s
        pause_s = POLL_FIRST_S
        self.flush()
        while not looking.is_over():
            if time.monotonic() > give_up_at:
                raise TraceIncomplete(looking.explain(within_s), looking.trace)
            with looking.watch.timing("waiting"):
                time.sleep(pause_s)
            pause_s = min(pause_s * POLL_GROWTH, POLL_MAX_S)
        return looking.frozen()

    def is_still(self, frozen: Frozen) -> bool:
        """Whether nothing has begun in *frozen* since, so that it need not be frozen again."""
        if self.ledger is None or frozen.mark is None:
            return False
        self.ledger.refresh()
        return len(self.ledger.entries(reach(self.ledger, frozen.trace_id))) == frozen.mark


@dataclass
class _Looking:
    """One flow on its way to be frozen: look after look, until one finds it over."""

    barrier: Barrier
    trace_id: str
    trace: Trace = field(default_factory=lambda: Trace(()))
    watch: Stopwatch = field(default_factory=Stopwatch)
    missing: list[str] = field(default_factory=list)
    account: Account | None = None
    mark: int | None = None
    same_looks: int = 0
    traces: int = 0  # that hang together, as far as they were followed
    lost_since: float | None = None

    def is_over(self) -> bool:
        self.watch.looks += 1
        ledger = self.barrier.ledger
        self.missing = self._look_at(ledger) if ledger else self._look()
        return not self.missing

    def _look_at(self, ledger: Ledger) -> list[str]:
        """What is not over or not stored, in the order that makes an empty answer a proof."""
        with self.watch.timing("ledger"):
            ledger.refresh()
            trace_ids = reach(ledger, self.trace_id)
            entries = ledger.entries(trace_ids)
            running = [entry for entry in entries if not entry.has_ended and entry.keeper.is_alive]
        self.mark = len(entries)
        if running:
            return [f"{entry} is still running" for entry in running]
        moving = self._stirs(trace_ids)
        if moving:
            return moving
        self.trace = self._fetch(trace_ids)
        with self.watch.timing("ledger"):
            ledger.refresh()
            if len(ledger.entries(reach(ledger, self.trace_id))) != self.mark:
                return ["something has just begun"]
            self.account = ledger.account(trace_ids, self.trace.by_key)
        return [*self._unaccounted(self.account), *self._unheard()]

    def _unaccounted(self, account: Account) -> list[str]:
        """What may still come; what is lost for good is no reason to wait."""
        if not self.mark:
            return ["no ledger knows this trace"]
        if not account.lost:
            self.lost_since = None
        elif self.lost_since is None:
            self.lost_since = time.monotonic()
        is_late = self.lost_since and time.monotonic() - self.lost_since < LOST_AFTER_S
        return account.lines() if account.to_come or is_late else []

    def _look(self) -> list[str]:
        """Without ledgers: what speaks against this being all."""
        before = len(self.trace.spans)
        moving = self._stirs(frozenset({self.trace_id}))
        self.trace = self._fetch(frozenset({self.trace_id}))
        unsound = [f"the parent of {span.service}: {span.name}" for span in self.trace.orphans()]
        if not self.trace.spans:
            unsound.append("no span of it is stored")
        self.same_looks = self.same_looks + 1 if len(self.trace.spans) == before else 0
        if self.same_looks < SAME_LOOKS:
            unsound.append("spans still arrive")
        return [*moving, *unsound, *self._unheard()]

    def _stirs(self, trace_ids: frozenset[str]) -> list[str]:
        if self.barrier.stirring is None:
            return []
        with self.watch.timing("shop"):
            return [line for trace_id in trace_ids for line in self.barrier.stirring(trace_id)]

    def _fetch(self, trace_ids: frozenset[str]) -> Trace:
        """All of *trace_ids*, and those they link to."""
        wanted, seen, spans = sorted(trace_ids), set(trace_ids), []
        with self.watch.timing("store"):
            while wanted:
                found = self.barrier.reader.fetch(wanted.pop())
                for span in found.spans if found else ():
                    spans.append(span)
                    outside = {link.trace_id for link in span.links} - seen
                    if len(seen) <= TRACES_MAX:
                        seen |= outside
                        wanted += sorted(outside)
        self.traces = len(seen)
        return Trace(tuple(spans))

    def _unheard(self) -> list[str]:
        """Whoever must have heard what was announced and, stored or lost, left no sign of it."""
        heard = {
            (span.service, span.attributes.get(conventions.EVENT_ID))
            for span in self.trace.find(kind=Kind.CONSUMER)
        }
        lost = {(entry.keeper.service, entry.name) for entry in self._lost()}
        return [
            f"{consumer} has not heard {event_type} ({event_id})"
            for event_type, event_id in self._announced()
            for consumer in sorted(self.barrier.consumers.get(event_type, ()))
            if (consumer, event_id) not in heard
            and (consumer, process_span(event_type)) not in lost
        ]

    def _announced(self) -> list[tuple[str, str]]:
        """(type, id) of every event that was sent."""
        sent = {
            event_type: self.trace.find(name=publish_span(event_type), kind=Kind.PRODUCER)
            for event_type in self.barrier.consumers
        }
        return sorted(
            {
                (event_type, str(span.attributes.get(conventions.EVENT_ID)))
                for event_type, spans in sent.items()
                for span in spans
                if not span.failed
            }
        )

    def _lost(self) -> tuple[Entry, ...]:
        return self.account.lost if self.account else ()

    def frozen(self) -> Frozen:
        with_lost = (*self.trace.spans, *(entry.as_lost_span() for entry in self._lost()))
        return Frozen(
            self.trace_id,
            Trace(with_lost),
            tuple(self._gaps()),
            self._lost(),
            self.mark,
            self.watch.cost(len(with_lost)),
        )

    def _gaps(self) -> list[str]:
        gaps = [] if self.barrier.stirring else [NO_BOOKS]
        if self.traces > TRACES_MAX:
            gaps.append(TOO_MANY)
        ledger = self.barrier.ledger
        if ledger is None or self.account is None:
            return [*gaps, NO_LEDGER]
        silent = {span.service for span in self.account.unlisted}
        gaps += [f"{service} keeps no ledger of its spans" for service in sorted(silent)]
        absent = sorted(self.barrier.keepers - ledger.living())
        return gaps + [f"no ledger of {service}'s {role} process" for service, role in absent]

    def explain(self, within_s: float) -> str:
        head = f"the flow {self.trace_id} is not whole after {within_s:g} s: "
        page = f"look at it: {self.barrier.page_of(self.trace_id)}"
        if not self.trace.spans:  # What is stored shows how far it came.
            self.trace = self._fetch(frozenset({self.trace_id}))
        tree = f"{len(self.trace.spans)} spans stored:\n{self.trace.tree()}"
        return f"{head}{'; '.join(self.missing)}\n{page}\n{tree}"


def reach(ledger: Ledger, trace_id: str) -> frozenset[str]:
    """*trace_id* and every trace that links lead to from it, in either direction.

    Goes no further once it has found more than `TRACES_MAX`: then there may be others.
    """
    reached, waiting = {trace_id}, [trace_id]
    while waiting and len(reached) <= TRACES_MAX:
        here = waiting.pop()
        linked = {other for entry in ledger.entries([here]) for other in entry.linked}
        new = (linked | ledger.links_to(here)) - reached
        reached |= new
        waiting += sorted(new)
    return frozenset(reached)
