"""OTLP/JSON as Jaeger's older JSON, which its web page and many tools read: `/api/traces/{id}`.

Microseconds, tags with types, parent and links as references, resources as processes. What has no
field there becomes a tag, by the names Jaeger gives them.
"""

import base64
import json
from collections.abc import Iterable
from typing import Any

from harness.traces.spans import Kind, Status, decode_attributes, kind_of, status_of

NS_PER_US = 1_000

# JavaScript's Number.MAX_SAFE_INTEGER: Jaeger sends larger integers as strings.
SAFE_INTEGER_MAX = 2**53 - 1

Json = dict[str, Any]


def jaeger_json(traces: Json) -> Json:
    """`traces`: OTLP/JSON of one trace. The answer has it as `data[0]`."""
    processes: dict[str, Json] = {}
    spans: list[Json] = []
    for number, resource_spans in enumerate(traces["resourceSpans"], start=1):
        processes[f"p{number}"] = process_json(resource_spans["resource"])
        for scope_spans in resource_spans["scopeSpans"]:
            scope = scope_tags(scope_spans["scope"])
            spans += [span_json(span, scope, f"p{number}") for span in scope_spans["spans"]]
    trace = {
        "traceID": spans[0]["traceID"],
        "spans": spans,
        "processes": processes,
        "warnings": None,
    }
    return {"data": [trace], "total": 0, "limit": 0, "offset": 0, "errors": None}


def process_json(resource: Json) -> Json:
    attributes = decode_attributes(resource["attributes"])
    name = attributes.pop("service.name")  # `otlp_json` gives one to whoever has none.
    return {"serviceName": name, "tags": tags(attributes.items())}


def scope_tags(scope: Json) -> list[Json]:
    named = {"otel.scope.name": scope.get("name"), "otel.scope.version": scope.get("version")}
    return tags((key, value) for key, value in named.items() if value)


def span_json(span: Json, scope: list[Json], process_id: str) -> Json:
    start_ns, end_ns = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    attributes = decode_attributes(span.get("attributes", ()))
    return {
        "traceID": span["traceId"],
        "spanID": span["spanId"],
        "operationName": span.get("name", ""),
        "references": references(span),
        "startTime": start_ns // NS_PER_US,
        "duration": max(0, end_ns - start_ns) // NS_PER_US,
        "tags": [*tags(attributes.items()), *scope, *tags(span_facts(span).items())],
        "logs": [log_json(event) for event in span.get("events", ())],
        "processID": process_id,
        "warnings": None,
    }


def span_facts(span: Json) -> Json:
    """What OpenTelemetry has fields for and Jaeger's model has not."""
    facts: Json = {}
    kind, status = kind_of(span.get("kind", 0)), status_of(span["status"].get("code", 0))
    if kind is not Kind.UNSPECIFIED:
        facts["span.kind"] = kind.lower()
    if status is not Status.UNSET:
        facts["otel.status_code"] = status.value
    if status is Status.ERROR:
        facts["error"] = True
    if message := span["status"].get("message"):
        facts["otel.status_description"] = message
    if state := span.get("traceState"):
        facts["w3c.tracestate"] = state
    return facts


def references(span: Json) -> list[Json]:
    parent = span.get("parentSpanId")
    return [
        *([reference("CHILD_OF", span["traceId"], parent)] if parent else []),
        *(
            reference("FOLLOWS_FROM", link["traceId"], link["spanId"])
            for link in span.get("links", ())
        ),
    ]


def reference(kind: str, trace_id: str, span_id: str) -> Json:
    return {"refType": kind, "traceID": trace_id, "spanID": span_id}


def log_json(event: Json) -> Json:
    fields = {"event": event["name"], **decode_attributes(event.get("attributes", ()))}
    return {"timestamp": int(event["timeUnixNano"]) // NS_PER_US, "fields": tags(fields.items())}


def tags(attributes: Iterable[tuple[str, Any]]) -> list[Json]:
    return [tag(key, value) for key, value in attributes]


def tag(key: str, value: Any) -> Json:
    match value:
        case bool():
            return {"key": key, "type": "bool", "value": value}
        case int():
            safe = value if abs(value) <= SAFE_INTEGER_MAX else str(value)
            return {"key": key, "type": "int64", "value": safe}
        case float():
            return {"key": key, "type": "float64", "value": value}
        case bytes():
            return {"key": key, "type": "binary", "value": base64.b64encode(value).decode()}
        case str():
            return {"key": key, "type": "string", "value": value}
    return {"key": key, "type": "string", "value": compact(value)}


def compact(value: Any) -> str:
    """Lists and maps, for which Jaeger has no type, as JSON."""
    return "" if value is None else json.dumps(value, default=repr, separators=(",", ":"))
