"""Which traces a person looks for: Jaeger's search form as values, and what satisfies it. Pure.

`service`, `operation` and `minDuration` are called and written as Jaeger's API has them; an order
and failures are asked for in words of ours, where Jaeger wants tags in JSON.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl

from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.proto.trace.v1.trace_pb2 import Status as SpanStatus

from simulators.trace_store.otlp_json import service_of
from simulators.trace_store.store import StoredTrace

# Longer than any name or id of ours.
VALUE_CHARS_MAX = 200
FIELDS_MAX = 20

# Go's time.ParseDuration, which Jaeger takes: `1.5s`, `1m30s`, `250ms`.
NS_PER_UNIT = {
    "ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9,
}  # fmt: skip
PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)")


class Malformed(ValueError):
    """The search cannot be understood. Its one sentence says what would be."""


@dataclass(frozen=True)
class Search:
    """One span has to be as all of these say; the order may be named by any. Empty: whatever."""

    order_id: str = ""
    service: str = ""
    operation: str = ""  # a part of its name
    min_duration_ns: float = 0
    error: bool = False


def fields(query: str) -> dict[str, str]:
    """What a query string says, without the fields that a form sends empty. Raises Malformed."""
    try:
        given = parse_qsl(query, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise Malformed(f"a search has at most {FIELDS_MAX} fields") from error
    for name, value in given:
        if len(value) > VALUE_CHARS_MAX:
            raise Malformed(f"{name[:40]} has at most {VALUE_CHARS_MAX} characters")
    return {name: value.strip() for name, value in given if value.strip()}


def read(given: dict[str, str]) -> Search:
    """Raises Malformed. Fields that are none of a search's are ignored."""
    error = given.get("error", "false")
    if error not in {"true", "false"}:
        raise Malformed("error is true or false")
    return Search(
        order_id=given.get("order_id", ""),
        service=given.get("service", ""),
        operation=given.get("operation", ""),
        min_duration_ns=nanoseconds(given.get("minDuration", "0ns")),
        error=error == "true",
    )


def nanoseconds(duration: str) -> float:
    """Raises Malformed."""
    parts = PART.findall(duration)
    if "".join(number + unit for number, unit in parts) != duration:
        raise Malformed("minDuration, what it took at least, is a number and unit: 250ms, 1.5s")
    return sum(float(number) * NS_PER_UNIT[unit] for number, unit in parts)


def satisfies(trace: StoredTrace, search: Search) -> bool:
    """Before a span is decoded, its bytes tell whether they hold the words at all."""
    order_id = search.order_id.encode()
    return any(order_id in span for spans in trace.values() for span in spans.values()) and any(
        _is_as_wanted(Span.FromString(span), search) for span in _possible(trace, search)
    )


def _possible(trace: StoredTrace, search: Search) -> Iterator[bytes]:
    operation = search.operation.encode()
    for source, spans in trace.items():
        if not search.service or search.service == service_of(source.resource):
            yield from (span for span in spans.values() if operation in span)


def _is_as_wanted(span: Span, search: Search) -> bool:
    return (
        search.operation in span.name
        and span.end_time_unix_nano - span.start_time_unix_nano >= search.min_duration_ns
        and (not search.error or span.status.code == SpanStatus.STATUS_CODE_ERROR)
    )
