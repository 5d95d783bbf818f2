"""What led to what in a trace, and a tree of it to read. Pure: no I/O, no clock.

A span led to another if a path of parents and links goes from it to the other. Order in time is
no cause, not even within one process (of Lamport's "happened before" it is the other half), and
clocks of two processes are never compared: on one machine they agree by luck, on two they do not.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.traces import conventions
from harness.traces.spans import LOST_WITH, AttributeValue, Kind, Link, Span, SpanKey, decode_spans

# In front of the lines of a tree: what is meant, and as much space for the others.
MARK, UNMARKED = "──▶ ", "    "
SHORT_ID = 8  # Enough digits to tell two ids of one trace apart by eye.


@dataclass(frozen=True)
class Trace:
    """Spans that belong together; may hold several trace ids, joined by links."""

    spans: tuple[Span, ...]

    @classmethod
    def from_otlp(cls, traces: Mapping[str, Any]) -> "Trace":
        """From OTLP/JSON. A span sent twice (an exporter that retried) counts once."""
        by_key: dict[SpanKey, Span] = {}
        for span in decode_spans(traces):
            by_key.setdefault(span.key, span)
        return cls(tuple(by_key.values()))

    @cached_property
    def by_key(self) -> Mapping[SpanKey, Span]:
        return {span.key: span for span in self.spans}

    @property
    def roots(self) -> tuple[Span, ...]:
        """Spans without a parent, earliest first. A whole checkout has one."""
        return in_order(span for span in self.spans if span.parent_key is None)

    def orphans(self) -> tuple[Span, ...]:
        """Spans that point, as child or by link, at a span that should be here and is not."""
        return tuple(span for span in self.spans if self.unresolved(span))

    def unresolved(self, span: Span) -> tuple[SpanKey, ...]:
        """The parent and link targets of *span* that are missing.

        A link to a trace of which nothing is here leads outside and is not missing.
        """
        targets = [link.key for link in span.links if link.trace_id in self.trace_ids]
        if span.parent_key:
            targets.insert(0, span.parent_key)
        return tuple(key for key in dict.fromkeys(targets) if key not in self.by_key)

    @cached_property
    def trace_ids(self) -> frozenset[str]:
        return frozenset(span.trace_id for span in self.spans)

    def applied(self) -> Mapping[tuple[str, str], Sequence[Span]]:
        """Deliveries that took effect, by consumer and event or webhook, earliest first.

        A span that names neither stands alone.
        """
        found: dict[tuple[str, str], list[Span]] = defaultdict(list)
        for span in in_order(self.spans):
            if span.attributes.get(conventions.EFFECT) == conventions.EFFECT_APPLIED:
                told = [span.attributes[of] for of in conventions.TOLD if of in span.attributes]
                found[span.service, str((told or [span.span_id])[0])].append(span)
        return found

    def services(self) -> frozenset[str]:
        return frozenset(span.service for span in self.spans)

    def find(
        self,
        service: str | None = None,
        name: str | None = None,
        kind: Kind | str | None = None,
        **attributes: AttributeValue,
    ) -> tuple[Span, ...]:
        """Spans that match everything given, earliest first; attributes match in value and type.

        Names with dots go in as a mapping: `find(kind=CONSUMER, **{"app.effect": "applied"})`.
        """
        return in_order(
            span
            for span in self.spans
            if (service is None or span.service == service)
            and (name is None or span.name == name)
            and (kind is None or span.kind == kind)
            and all(holds(span, key, value) for key, value in attributes.items())
        )

    def led_to(self, a: Span, b: Span) -> bool:
        """Whether *a* is proven to have caused *b*: a path of parents and links leads from a to b.

        False means "not proven", not "after". ValueError: one of them is not in this trace.
        """
        for span in (a, b):
            if span.key not in self.by_key:
                raise ValueError(f"not in this trace: {describe(span)}")
        return a.key != b.key and any(span.key == b.key for span in self._effects(a))

    def _effects(self, cause: Span) -> Iterator[Span]:
        """Every span that *cause* is proven to have led to, breadth first."""
        seen = {cause.key}
        waiting = deque([cause])
        while waiting:
            for effect in self._caused_by[waiting.popleft().key]:
                if effect.key not in seen:
                    seen.add(effect.key)
                    waiting.append(effect)
                    yield effect

    @cached_property
    def _caused_by(self) -> Mapping[SpanKey, list[Span]]:
        """For each span its children and those that link to it."""
        effects: dict[SpanKey, list[Span]] = defaultdict(list)
        for span in self.spans:
            for key in {span.parent_key, *(link.key for link in span.links)} - {None}:
                effects[key].append(span)  # type: ignore[index]  # None was taken out.
        return effects

    def walk(self) -> Iterator[tuple[int, Span]]:
        """(depth, span) from each top downwards, children by start; every span exactly once.

        A top is a root or a span whose parent is missing.
        """
        children: dict[SpanKey | None, list[Span]] = defaultdict(list)
        for span in in_order(self.spans):
            parent = span.parent_key
            children[parent if parent in self.by_key else None].append(span)
        seen: set[SpanKey] = set()
        # After the tops, all: spans that are each other's parents hang under no top.
        for top in (*children[None], *in_order(self.spans)):
            waiting = [(0, top)]
            while waiting:
                depth, span = waiting.pop()
                if span.key not in seen:
                    seen.add(span.key)
                    yield depth, span
                    waiting.extend((depth + 1, child) for child in reversed(children[span.key]))

    def tree(self, marked: Collection[SpanKey] = ()) -> str:
        """The trace for a person: one line a span, indented under its parent.

        marked: spans that the reader shall see first; their lines begin with an arrow.
        `payment: authorize 12.3 ms ✗ card declined → order: publish order.placed`
        """
        return "\n".join(
            (MARK if span.key in marked else UNMARKED if marked else "")
            + "  " * depth
            + self._line(span)
            for depth, span in self.walk()
        )

    def _line(self, span: Span) -> str:
        line = f"{describe(span)} {span.duration_ms:.1f} ms"
        if LOST_WITH in span.attributes:
            line = f"{describe(span)} (lost with {span.attributes[LOST_WITH]!s})"
        if span.failed:
            line += f" ✗ {span.status_message}".rstrip()
        if span.parent_key and span.parent_key not in self.by_key:
            line += f" (parent {span.parent_key[1][:SHORT_ID]} missing)"
        for link in span.links:
            if link.key != span.parent_key:  # A consumer links to its parent too: once is enough.
                line += f" → {self._target(link)}"
        return line

    def _target(self, link: Link) -> str:
        span = self.by_key.get(link.key)
        if span:
            return describe(span)
        return f"{link.trace_id[:SHORT_ID]}/{link.span_id[:SHORT_ID]} (afar)"


def describe(span: Span) -> str:
    return f"{span.service or '(no service)'}: {span.name}"


def in_order(spans: Iterable[Span]) -> tuple[Span, ...]:
    return tuple(sorted(spans, key=lambda span: (span.start_ns, span.end_ns)))


def holds(span: Span, key: str, value: AttributeValue) -> bool:
    """Whether the attribute is there with this value and type: True is not 1, "" is not missing."""
    if key not in span.attributes:
        return False
    found = span.attributes[key]
    return type(found) is type(value) and found == value
