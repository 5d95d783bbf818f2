"""The shape of a flow as text, and where two shapes part. Knows no features.

A shape holds what was asked and announced, by whom, because of what. It leaves out what differs
between two runs of the same flow: ids, times, the order of siblings in different processes, and

- the spans of one service's own steps and of its outgoing calls, whose other end is there too;
- reads, second deliveries of an event, and attempts that were rolled back or failed;
- what the payment provider tells by webhook: it tells what it has answered, before or after.
"""

import fcntl
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path

from harness.traces import conventions
from harness.traces.causality import MARK, UNMARKED, Trace, in_order
from harness.traces.spans import Kind, Span, SpanKey

CUSTOMER = "shopper"
KEPT = (Kind.SERVER, Kind.PRODUCER, Kind.CONSUMER)
WEBHOOKS = "POST /webhooks/"
READS = "GET "
# Between two shapes of one file that are both right: which it is, is chance.
OR = "or"
# In front of a line that is for people.
REMARK = "#"


@dataclass(frozen=True)
class Node:
    text: str
    children: "tuple[Node, ...]" = ()

    def lines(self, depth: int = 0) -> Iterator[str]:
        yield "  " * depth + self.text
        for child in self.children:
            yield from child.lines(depth + 1)


def shape(trace: Trace) -> tuple[str, ...]:
    """One line a step, indented under what caused it."""
    children: dict[SpanKey | None, list[Span]] = defaultdict(list)
    kept = {span.key for span in _kept(trace)}
    for span in in_order(trace.spans):
        if span.key in kept:
            children[_cause(trace, span, kept)].append(span)
    return tuple(line for node in _nodes(children, None, set()) for line in node.lines())


def _kept(trace: Trace) -> Iterator[Span]:
    seen: set[tuple[str, str, str]] = set()
    for span in in_order(trace.spans):
        if span.service == CUSTOMER:
            if not span.failed:
                yield span
        elif span.kind in KEPT and not _is_noise(span):
            # Sent twice, or handled again after a commit that was lost, it is the same event.
            event_id = str(span.attributes.get(conventions.EVENT_ID, span.span_id))
            if (span.service, span.name, event_id) not in seen:
                seen.add((span.service, span.name, event_id))
                yield span


def _is_noise(span: Span) -> bool:
    effect = span.attributes.get(conventions.EFFECT, conventions.EFFECT_APPLIED)
    return (
        span.failed
        or effect != conventions.EFFECT_APPLIED
        or span.name.startswith((READS, WEBHOOKS))
    )


def _cause(trace: Trace, span: Span, kept: set[SpanKey]) -> SpanKey | None:
    """The nearest span above that is kept."""
    parent, passed = span.parent_key, {span.key}
    while parent and parent not in kept and parent not in passed:
        passed.add(parent)
        above = trace.by_key.get(parent)
        parent = above.parent_key if above else None
    return parent if parent in kept else None


def _nodes(
    children: Mapping[SpanKey | None, Sequence[Span]], key: SpanKey | None, above: set[SpanKey]
) -> tuple[Node, ...]:
    """Siblings by name, but for the customer's own, who does one thing after the other."""
    spans = [span for span in children.get(key, ()) if span.key not in above]
    nodes = [
        (span, Node(f"{span.service}: {span.name}", _nodes(children, span.key, above | {span.key})))
        for span in spans
    ]
    own = [node for span, node in nodes if span.service == CUSTOMER]
    others = Counter(node for span, node in nodes if span.service != CUSTOMER)
    alike = sorted(others.items(), key=lambda found: tuple(found[0].lines()))
    return (*own, *(_times(node, count) for node, count in alike))


def _times(node: Node, count: int) -> Node:
    return node if count == 1 else Node(f"{node.text} ×{count}", node.children)


def alternatives(text: str) -> list[tuple[str, ...]]:
    """The shapes of a file; remarks and empty lines left out."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip() == OR:
            found.append([])
        elif line.strip() and not line.startswith(REMARK):
            found[-1].append(line.rstrip())
    return [tuple(lines) for lines in found]


def difference(expected: Sequence[str], found: Sequence[str]) -> str:
    """Both as one tree: `-` is missing, `+` is new, the first of them marked. Empty: the same."""
    if tuple(expected) == tuple(found):
        return ""
    lines = [line for line in ndiff(expected, found) if not line.startswith("?")]
    first = next(number for number, line in enumerate(lines) if line[0] in "+-")
    return "\n".join(
        (MARK if number == first else UNMARKED) + line for number, line in enumerate(lines)
    )


def nearest(expected: Sequence[Sequence[str]], found: Sequence[str]) -> str:
    """The smallest difference to any of *expected*; empty if it is one of them."""
    return min((difference(one, found) for one in expected), key=_changed)


def _changed(difference: str) -> int:
    return sum(line[len(MARK) :][:1] in {"+", "-"} for line in difference.splitlines())


def write(file: Path, name: str, trace: Trace, run: Path) -> None:
    """Keep the shape of *trace*; a file that holds it already stays as it is, with its `or`s.

    run: a folder that the processes of this run share. A shape that is new replaces what earlier
    runs knew by this name, and stands beside what this one has met: both went that way lawfully.
    """
    found = shape(trace)
    met = run / f"{file.stem}.met"
    with met.open("a") as this_run:
        fcntl.flock(this_run, fcntl.LOCK_EX)
        if not file.exists() or found not in alternatives(file.read_text()):
            file.parent.mkdir(exist_ok=True)
            head = f"{REMARK} {name}: who asked and announced what, because of what."
            before = f"{file.read_text()}{OR}" if met.stat().st_size else head
            new = file.with_suffix(".new")  # At once: another process may be reading.
            new.write_text("\n".join((before, *found)) + "\n")
            new.replace(file)
        this_run.write(f"{name}\n")
