"""A trace as the rows of a picture: who, when, how long, in fractions of the whole. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.traces.causality import Trace, describe
from harness.traces.spans import NS_PER_MS, Link, Span

NS_PER_S = 1_000_000_000

# So many hues can be told apart; a trace with more services uses them again.
COLOURS = 8

# What all levels together may indent, and each, in rem: names keep room on a phone however deep.
INDENTS_REM = 9.0
INDENT_REM = 0.9

# More rows than a person reads; the rest is in the JSON. Keeps the page near one megabyte.
ROWS_MAX = 2_000

# A bar of no length cannot be seen: 0.3 % is two pixels on a usual screen.
BAR_MIN_PERCENT = 0.3


@dataclass(frozen=True)
class Target:
    """Where a link leads."""

    href: str
    label: str


@dataclass(frozen=True)
class Row:
    span: Span
    depth: int
    colour: int
    start_ms: float  # after the first span of the trace
    left_percent: float
    width_percent: float
    targets: tuple[Target, ...]
    parent_missing: bool
    facts: Mapping[str, Any]  # attributes, then those of events and of the resource


@dataclass(frozen=True)
class Summary:
    """One line about a trace."""

    trace_id: str
    name: str  # of its root, or of its first span when the root is missing
    service: str
    started: datetime
    duration_ms: float
    services: int
    spans: int
    errors: int


@dataclass(frozen=True)
class Waterfall:
    summary: Summary
    rows: tuple[Row, ...]
    hidden: int  # spans beyond ROWS_MAX
    services: tuple[tuple[str, int, int], ...]  # (name, colour, spans), by first appearance
    indent_rem: float  # of each level


def summarize(trace: Trace) -> Summary:
    start_ns, end_ns = extent(trace)
    first = next(span for _, span in trace.walk())
    return Summary(
        trace_id=first.trace_id,
        name=first.name,
        service=first.service,
        started=datetime.fromtimestamp(start_ns / NS_PER_S, UTC),
        duration_ms=(end_ns - start_ns) / NS_PER_MS,
        services=len(trace.services()),
        spans=len(trace.spans),
        errors=sum(span.failed for span in trace.spans),
    )


def extent(trace: Trace) -> tuple[int, int]:
    return min(span.start_ns for span in trace.spans), max(span.end_ns for span in trace.spans)


def draw(trace: Trace) -> Waterfall:
    walked = list(trace.walk())
    counts = Counter(span.service for _, span in walked)  # keeps the order of first appearance
    colours = {service: number % COLOURS for number, service in enumerate(counts)}
    shown = walked[:ROWS_MAX]
    whole = extent(trace)
    return Waterfall(
        summary=summarize(trace),
        rows=tuple(row(trace, span, depth, colours[span.service], whole) for depth, span in shown),
        hidden=len(walked) - len(shown),
        services=tuple((name, colours[name], spans) for name, spans in counts.items()),
        indent_rem=min(INDENT_REM, INDENTS_REM / max(1, *(depth for depth, _ in shown))),
    )


def row(trace: Trace, span: Span, depth: int, colour: int, whole: tuple[int, int]) -> Row:
    """whole: start and end of the trace, in nanoseconds."""
    start_ns, end_ns = whole
    length_ns = max(1, end_ns - start_ns)
    left = min(100 - BAR_MIN_PERCENT, 100 * (span.start_ns - start_ns) / length_ns)
    width = max(BAR_MIN_PERCENT, 100 * (span.end_ns - span.start_ns) / length_ns)
    return Row(
        span=span,
        depth=depth,
        colour=colour,
        start_ms=(span.start_ns - start_ns) / NS_PER_MS,
        left_percent=left,
        width_percent=min(width, 100 - left),
        targets=tuple(targets(trace, span)),
        parent_missing=bool(span.parent_key) and span.parent_key not in trace.by_key,
        facts=facts(span),
    )


def targets(trace: Trace, span: Span) -> Iterator[Target]:
    """Where the links lead, but for one to the parent, which the indent shows already."""
    for link in span.links:
        if link.key != span.parent_key:
            yield target(trace, link)


def target(trace: Trace, link: Link) -> Target:
    found = trace.by_key.get(link.key)
    if found:
        return Target(f"#span-{link.span_id}", describe(found))
    return Target(f"/trace/{link.trace_id}#span-{link.span_id}", f"trace {link.trace_id[:8]}")


def facts(span: Span) -> dict[str, Any]:
    events = {
        f"event {number} {event.name}": ", ".join(
            f"{key}={value!s}" for key, value in event.attributes.items()
        )
        for number, event in enumerate(span.events, start=1)
    }
    return {"span": span.span_id, **span.attributes, **events, **span.resource}
