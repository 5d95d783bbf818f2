"""What a span is, and how it is read from OTLP/JSON. Pure: no I/O, no clock.

The JSON is what Jaeger's `/api/v3/traces/{id}` answers: hex ids, numbers for enums, 64-bit
integers as strings (OTLP 1.x, "JSON Protobuf Encoding").
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

NS_PER_MS = 1_000_000

# AnyValue of OpenTelemetry common/v1. A missing attribute is no key, never None or "".
AttributeValue = str | bool | int | float | bytes | list[Any] | dict[str, Any] | None
Attributes = Mapping[str, AttributeValue]
SpanKey = tuple[str, str]  # (trace id, span id): a span id is unique within its trace only

# An attribute of ours: the span is known from a ledger alone, and went with this process.
LOST_WITH = "ledger.lost_with"


class Kind(StrEnum):
    """OTLP's span kinds, in the order of their numbers."""

    UNSPECIFIED = "UNSPECIFIED"
    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


class Status(StrEnum):
    """OTLP's status codes, in the order of their numbers."""

    UNSET = "UNSET"
    OK = "OK"
    ERROR = "ERROR"


KINDS = dict(enumerate(Kind))
STATUSES = dict(enumerate(Status))


@dataclass(frozen=True)
class Link:
    """Another span that led to this one, without being its parent."""

    trace_id: str
    span_id: str
    attributes: Attributes = field(default_factory=dict, hash=False)

    @property
    def key(self) -> SpanKey:
        return self.trace_id, self.span_id


@dataclass(frozen=True)
class Event:
    """Something that happened during a span; an exception is one."""

    name: str
    time_ns: int
    attributes: Attributes = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Span:
    """One operation of one service. Times are the clock of the process that ran it."""

    trace_id: str  # 32 hex digits
    span_id: str  # 16 hex digits
    parent_span_id: str | None
    name: str
    kind: Kind
    service: str
    start_ns: int
    end_ns: int
    status: Status = Status.UNSET
    attributes: Attributes = field(default_factory=dict, hash=False)
    links: tuple[Link, ...] = ()
    events: tuple[Event, ...] = ()
    resource: Attributes = field(default_factory=dict, hash=False)
    status_message: str = ""

    @property
    def key(self) -> SpanKey:
        return self.trace_id, self.span_id

    @property
    def parent_key(self) -> SpanKey | None:
        return (self.trace_id, self.parent_span_id) if self.parent_span_id else None

    @property
    def duration_ms(self) -> float:
        return (self.end_ns - self.start_ns) / NS_PER_MS

    @property
    def failed(self) -> bool:
        return self.status is Status.ERROR


def decode_spans(traces: Mapping[str, Any]) -> Iterator[Span]:
    """Every span of an OTLP/JSON `TracesData` (`{"resourceSpans": [...]}`), in its order."""
    for resource_spans in traces.get("resourceSpans", ()):
        resource = decode_attributes(resource_spans.get("resource", {}).get("attributes", ()))
        for scope_spans in resource_spans.get("scopeSpans", ()):
            for span in scope_spans.get("spans", ()):
                yield decode_span(span, resource)


def decode_span(span: Mapping[str, Any], resource: Attributes) -> Span:
    status = span.get("status") or {}
    return Span(
        trace_id=span["traceId"],
        span_id=span["spanId"],
        parent_span_id=span.get("parentSpanId") or None,  # Jaeger writes "" for a root.
        name=span.get("name", ""),
        kind=kind_of(span.get("kind", 0)),
        service=str(resource.get("service.name", "")),
        start_ns=int(span.get("startTimeUnixNano", 0)),
        end_ns=int(span.get("endTimeUnixNano", 0)),
        status=status_of(status.get("code", 0)),
        attributes=decode_attributes(span.get("attributes", ())),
        links=tuple(decode_link(link) for link in span.get("links", ())),
        events=tuple(decode_event(event) for event in span.get("events", ())),
        resource=resource,
        status_message=status.get("message", ""),
    )


def kind_of(number: int) -> Kind:
    """A number that a later OTLP may add counts as unspecified (protobuf enums are open)."""
    return KINDS.get(number, Kind.UNSPECIFIED)


def status_of(number: int) -> Status:
    return STATUSES.get(number, Status.UNSET)


def decode_link(link: Mapping[str, Any]) -> Link:
    return Link(link["traceId"], link["spanId"], decode_attributes(link.get("attributes", ())))


def decode_event(event: Mapping[str, Any]) -> Event:
    return Event(
        name=event.get("name", ""),
        time_ns=int(event.get("timeUnixNano", 0)),
        attributes=decode_attributes(event.get("attributes", ())),
    )


def decode_attributes(key_values: Iterable[Mapping[str, Any]]) -> dict[str, AttributeValue]:
    return {pair["key"]: decode_value(pair.get("value") or {}) for pair in key_values}


def decode_value(value: Mapping[str, Any]) -> AttributeValue:
    """The Python value of an AnyValue; an int stays an int, an empty AnyValue is None."""
    for name, content in value.items():
        match name:
            case "intValue":
                return int(content)
            case "doubleValue":
                return float(content)  # "NaN" and "Infinity" travel as strings.
            case "bytesValue":
                return base64.b64decode(content)
            case "arrayValue":
                return [decode_value(item) for item in content.get("values", ())]
            case "kvlistValue":
                return decode_attributes(content.get("values", ()))
            case "stringValue":
                return str(content)
            case "boolValue":
                return bool(content)
    return None
