"""Which checkouts of a run are shown whole, and why: violating, slowest, strangest. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from harness.audit.books import Books, Checkout
from harness.audit.checkers import Finding
from harness.suite.report import drawing
from harness.suite.report.recording import Bar
from harness.traces.causality import Trace
from harness.traces.conventions import EFFECT, EFFECT_DUPLICATE, EFFECT_ROLLED_BACK
from harness.traces.spans import NS_PER_MS

# A broken invariant is broken for all in the same few ways; 20 waterfalls are half a megabyte.
VIOLATING_MAX = 20
SLOWEST_MAX = 10
STRANGEST_MAX = 10
# Spans vary with the lines of a basket; an error or a second delivery is news each time.
EVENT_WEIGHT = 10

Outcome = Callable[[Checkout], str]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A checkout with its whole trace. why: a phrase each. spans: of which bars has the first.

    at_s: when its first span began, after the first checkout.
    """

    trace_id: str
    order_id: str | None
    outcome: str
    why: tuple[str, ...]
    spans: int
    bars: Sequence[Bar]
    at_s: float


def choose(
    books: Books,
    checkouts: Sequence[Checkout],
    findings: Iterable[Finding],
    slowest: Iterable[tuple[Checkout, float]],
    outcome_of: Outcome,
) -> list[Exhibit]:
    """Each once, with every reason for it; those without a stored trace are left out.

    slowest: with milliseconds, slowest first.
    """
    reasons: dict[str, list[str]] = defaultdict(list)
    for trace_id, name in _violating(books, findings):
        reasons[trace_id].append(f"breaks {name}")
    for checkout, ms in list(slowest)[:SLOWEST_MAX]:
        reasons[checkout.trace_id].append(f"slow: {ms:,.0f} ms from placed to confirmed")
    for checkout, phrases in _strangest(checkouts, books.traces, outcome_of):
        reasons[checkout.trace_id] += phrases
    known = {checkout.trace_id: checkout for checkout in checkouts}
    began = min((checkout.started_at for checkout in checkouts), default=0.0)
    return [
        Exhibit(
            trace_id,
            known[trace_id].order_id,
            outcome_of(known[trace_id]),
            tuple(why),
            len(trace.spans),
            drawing.bars(trace),
            min(span.start_ns for span in trace.spans) / NS_PER_MS / 1000 - began,
        )
        for trace_id, why in reasons.items()
        if trace_id in known and (trace := books.traces.get(trace_id)) and trace.spans
    ]


def _violating(books: Books, findings: Iterable[Finding]) -> Iterable[tuple[str, str]]:
    """(trace id, invariant), a pair once."""
    for finding in findings:
        found = (v.trace_id or books.trace_id_of(v.order_id or "") for v in finding.violations)
        for trace_id in list(dict.fromkeys(filter(None, found)))[:VIOLATING_MAX]:
            yield trace_id, finding.checker.name


def figures(trace: Trace) -> dict[str, int]:
    """What tells one checkout from another, by the word for it."""
    effects = [span.attributes.get(EFFECT) for span in trace.spans]
    return {
        "spans": len(trace.spans),
        "failed spans": sum(span.failed for span in trace.spans),
        "deliveries of what was known": effects.count(EFFECT_DUPLICATE),
        "deliveries rolled back and retried": effects.count(EFFECT_ROLLED_BACK),
    }


def _strangest(
    checkouts: Sequence[Checkout], traces: Mapping[str, Trace | None], outcome_of: Outcome
) -> list[tuple[Checkout, list[str]]]:
    """Those furthest from the median of their outcome; with what is unusual, never nothing."""
    alike: dict[str, list[tuple[Checkout, dict[str, int]]]] = defaultdict(list)
    for checkout in checkouts:
        if trace := traces.get(checkout.trace_id):
            alike[outcome_of(checkout)].append((checkout, figures(trace)))
    strange = []
    for outcome, group in alike.items():
        usual = {name: median(counts[name] for _, counts in group) for name in group[0][1]}
        for checkout, counts in group:
            away = {name: abs(count - usual[name]) for name, count in counts.items()}
            phrases = [
                f"strange: {counts[name]} {name}; of “{outcome}”, the median is {usual[name]:g}"
                for name, distance in away.items()
                if distance
            ]
            score = away["spans"] + EVENT_WEIGHT * (sum(away.values()) - away["spans"])
            strange.append((score, checkout, phrases))
    strange.sort(key=lambda found: -found[0])
    return [(checkout, phrases) for _, checkout, phrases in strange[:STRANGEST_MAX] if phrases]
