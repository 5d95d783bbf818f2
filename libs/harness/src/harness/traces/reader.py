"""Reads traces from Jaeger, or whatever speaks its `/api/v3`, and waits until one is complete.

Reads by trace id only: Jaeger removed its search routes after v2.20. That nothing new arrived for
a while proves nothing, so `wait_for` takes the proof of completeness from its caller.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

import httpx

from harness.traces.card_data import CardNumber, no_card_data
from harness.traces.causality import SHORT_ID, Trace, describe
from harness.traces.spans import Event, Kind, Link, Span, Status

__all__ = [
    "CardNumber",
    "Event",
    "Kind",
    "Link",
    "Span",
    "SpanLedger",
    "Status",
    "Trace",
    "TraceIncomplete",
    "TraceReader",
    "no_card_data",
    "wait_for",
]

# A trace of thousands of spans is megabytes of JSON from a busy machine.
READ_TIMEOUT_S = 10.0

# First polls are quick because exporters flush every 100 ms; later ones spare the store.
POLL_FIRST_S = 0.05
POLL_MAX_S = 0.25
POLL_GROWTH = 1.5

# Jaeger's adjusters repair and merge spans at query time; we want what was sent. It is called
# rawTraces since v2.19 and raw_traces before; an unknown parameter is ignored.
RAW = {"rawTraces": "true", "raw_traces": "true"}

Complete = Callable[[Trace], bool]


@runtime_checkable
class Explains(Protocol):
    """A condition that can say what it still misses."""

    def missing(self, trace: Trace) -> list[str]: ...


class TraceIncomplete(AssertionError):
    """The trace did not become complete in time. The message holds what is missing and the tree."""

    def __init__(self, message: str, trace: Trace | None) -> None:
        super().__init__(message)
        self.trace = trace


@dataclass(frozen=True)
class SpanLedger:
    """How many spans each service says it ended: the proof that a trace is complete."""

    ended: Mapping[str, int]  # service -> spans

    def __call__(self, trace: Trace) -> bool:
        return not self.missing(trace)

    def missing(self, trace: Trace) -> list[str]:
        stored = Counter(span.service for span in trace.spans)
        return [
            f"{service}: ended {self.ended.get(service, 0)}, stored {stored[service]}"
            for service in sorted(self.ended.keys() | stored.keys())
            if self.ended.get(service, 0) != stored[service]
        ]


class TraceReader:
    """Reads whole traces by id over Jaeger's `/api/v3`. Close it, or use it with `with`."""

    def __init__(self, query_url: str, transport: httpx.BaseTransport | None = None) -> None:
        """query_url: as `http://127.0.0.1:16686`. transport: for tests without a socket."""
        self._http = httpx.Client(base_url=query_url, timeout=READ_TIMEOUT_S, transport=transport)

    def __enter__(self) -> "TraceReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def fetch(self, trace_id: str) -> Trace | None:
        """The trace as stored now, or None when nothing of it is.

        httpx.HTTPStatusError: any other refusal; a 404 that is not Jaeger's own is one of them,
        lest a wrong address pass for an unknown trace.
        """
        traces = self.fetch_otlp(trace_id)
        return None if traces is None else Trace.from_otlp(traces)

    def fetch_otlp(self, trace_id: str) -> Mapping[str, Any] | None:
        """The same as OTLP/JSON `TracesData`, with all that our own spans leave out."""
        response = self._http.get(f"/api/v3/traces/{trace_id}", params=RAW)
        if is_unknown_trace(response):
            return None
        response.raise_for_status()
        traces: Mapping[str, Any] = response.json()["result"]
        return traces


def is_unknown_trace(response: httpx.Response) -> bool:
    return (
        response.status_code == httpx.codes.NOT_FOUND
        and response.text.lstrip().startswith("{")
        and response.json().get("error", {}).get("httpCode") == httpx.codes.NOT_FOUND
    )


def wait_for(reader: TraceReader, trace_id: str, complete: Complete, within_s: float) -> Trace:
    """The trace, as soon as *complete* holds for it.

    complete: if it also has `missing(trace)`, as `SpanLedger`, a failure quotes it.
    TraceIncomplete: not within *within_s*; there is always one more read at the deadline.
    """
    deadline = time.monotonic() + within_s
    pause_s = POLL_FIRST_S
    while True:
        last = time.monotonic() >= deadline
        trace = reader.fetch(trace_id)
        if trace is not None and complete(trace):
            return trace
        if last:
            raise TraceIncomplete(explain(trace_id, trace, complete, within_s), trace)
        time.sleep(max(0.0, min(pause_s, deadline - time.monotonic())))
        pause_s = min(pause_s * POLL_GROWTH, POLL_MAX_S)


def explain(trace_id: str, trace: Trace | None, complete: Complete, within_s: float) -> str:
    """What a person needs to see why the trace is not complete: first what lacks, then the tree."""
    head = f"trace {trace_id} is not complete after {within_s:g} s: "
    if trace is None:
        return head + "no span of it is stored"
    lacks = complete.missing(trace) if isinstance(complete, Explains) else [f"not {name(complete)}"]
    lacks += [
        f"{describe(span)}: {span_id[:SHORT_ID]} is missing"
        for span in trace.orphans()
        for _, span_id in trace.unresolved(span)
    ]
    return head + "; ".join(lacks) + f"\n{len(trace.spans)} spans stored:\n{trace.tree()}"


def name(condition: Complete) -> str:
    return getattr(condition, "__name__", type(condition).__name__)
