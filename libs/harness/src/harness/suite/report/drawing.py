"""Spans as the bars of a waterfall and the arrows of a sequence diagram. Pure."""

from collections.abc import Callable, Sequence

from harness.suite.report.recording import Arrow, Bar
from harness.traces.causality import Trace, in_order
from harness.traces.spans import LOST_WITH, NS_PER_MS, Kind, Span, SpanKey

# A person reads some hundreds of lines; of what is over it is said how much it is.
BARS_MAX = 400
ARROWS_MAX = 150
DEPTH_MAX = 40


def bars(trace: Trace) -> list[Bar]:
    """Parents before their children, siblings by their start, as far as BARS_MAX."""
    if not trace.spans:
        return []
    first_ns = min(span.start_ns for span in trace.spans)
    depth = _depths(trace)
    return [
        Bar(
            span.service,
            span.name,
            span.kind,
            (span.start_ns - first_ns) / NS_PER_MS,
            span.duration_ms,
            depth(span.key),
            span.failed,
            led_by_link=bool(span.links) and span.parent_key is None,
            is_lost=LOST_WITH in span.attributes,
        )
        for span in _down_the_tree(trace)[:BARS_MAX]
    ]


def cause(trace: Trace, span: Span) -> Span | None:
    """Its parent; else what it is linked to, if that is here."""
    keys = [span.parent_key] if span.parent_key else [link.key for link in span.links]
    return next((trace.by_key[key] for key in keys if key in trace.by_key), None)


def _down_the_tree(trace: Trace) -> list[Span]:
    children: dict[SpanKey | None, list[Span]] = {}
    for span in in_order(trace.spans):
        found = cause(trace, span)
        children.setdefault(found.key if found else None, []).append(span)
    ordered: list[Span] = []
    waiting = list(reversed(children.get(None, [])))
    while waiting:
        span = waiting.pop()
        ordered.append(span)
        waiting += reversed(children.get(span.key, []))
    reached = {span.key for span in ordered}  # Not those that, by mistake, cause one another.
    return ordered + [span for span in trace.spans if span.key not in reached]


def _depths(trace: Trace) -> Callable[[SpanKey], int]:
    known: dict[SpanKey, int] = {}

    def depth(key: SpanKey) -> int:
        """Asked for causes before their effects, so one step is enough."""
        found = cause(trace, trace.by_key[key])
        known[key] = 0 if found is None else min(DEPTH_MAX, known.get(found.key, 0) + 1)
        return known[key]

    return depth


def arrows(trace: Trace) -> list[Arrow]:
    """Every step from one service to another, by the time at which it arrived.

    All of them: as many as ARROWS_MAX are drawn.
    """
    if not trace.spans:
        return []
    first_ns = min(span.start_ns for span in trace.spans)
    return [
        Arrow(
            told.service,
            span.service,
            span.name.removeprefix("process "),  # That it is one is seen from how it is drawn.
            (span.start_ns - first_ns) / NS_PER_MS,
            is_event=span.kind is Kind.CONSUMER,
            failed=span.failed,
        )
        for span in in_order(trace.spans)
        if (told := cause(trace, span)) and told.service != span.service
    ]


def lanes(told: Sequence[Arrow]) -> list[str]:
    """Who takes part, in the order in which they come in."""
    return list(dict.fromkeys(name for arrow in told for name in (arrow.sender, arrow.receiver)))
