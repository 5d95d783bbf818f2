"""OTLP between its two encodings: stored protobuf to JSON, and a JSON request to protobuf.

JSON as OTLP wants it, which is not protobuf's usual one: ids in hex instead of base64, enums as
numbers, 64-bit integers as strings (OTLP 1.x, "JSON Protobuf Encoding").
"""

import base64
from binascii import Error as NotBase64
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import orjson
from google.protobuf import json_format  # type: ignore[import-untyped]  # It ships no types.
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.proto.trace.v1.trace_pb2 import Status as SpanStatus

from simulators.trace_store.store import Source, StoredTrace
from simulators.trace_store.wire import Malformed

ID_FIELDS = frozenset({"traceId", "spanId", "parentSpanId"})
# What Jaeger's collector writes for a service that does not say its name, or no name.
SERVICE_NAME = "service.name"
MISSING_NAME, EMPTY_NAME = "missing-service-name", "empty-service-name"
WRONG_NAME = "service-name-wrong-type"

Json = dict[str, Any]


# --- out


def traces_json(trace: StoredTrace) -> Json:
    """A stored trace as OTLP/JSON `TracesData`: one entry for each resource, then each scope."""
    resources: dict[tuple[bytes, bytes], Json] = {}
    for source, spans in trace.items():
        key = (source.resource, source.resource_schema_url)
        if key not in resources:
            resources[key] = resource_json(source)
        resources[key]["scopeSpans"].append(scope_json(source, spans.values()))
    return {"resourceSpans": list(resources.values())}


def resource_json(source: Source) -> Json:
    resource = Resource.FromString(source.resource)
    encoded: Json = {
        "resource": with_present(
            {"attributes": named(attributes_json(resource.attributes))},
            droppedAttributesCount=resource.dropped_attributes_count,
        ),
        "scopeSpans": [],
    }
    return with_present(encoded, schemaUrl=source.resource_schema_url.decode())


def named(attributes: list[Json]) -> list[Json]:
    """The attributes of a resource with a name for the service, as Jaeger would call it."""
    for attribute in attributes:
        if attribute["key"] == SERVICE_NAME:
            name = attribute["value"].get("stringValue", WRONG_NAME) or EMPTY_NAME
            attribute["value"] = {"stringValue": name}
            return attributes
    return [*attributes, {"key": SERVICE_NAME, "value": {"stringValue": MISSING_NAME}}]


@lru_cache(maxsize=256)  # A search asks again for each trace; a shop has some thirty processes.
def service_of(resource: bytes) -> str:
    attributes = named(attributes_json(Resource.FromString(resource).attributes))
    return next(
        str(pair["value"]["stringValue"]) for pair in attributes if pair["key"] == SERVICE_NAME
    )


def scope_json(source: Source, spans: Iterable[bytes]) -> Json:
    scope = InstrumentationScope.FromString(source.scope)
    encoded: Json = {
        "scope": with_present(
            {},
            name=scope.name,
            version=scope.version,
            attributes=attributes_json(scope.attributes),
            droppedAttributesCount=scope.dropped_attributes_count,
        ),
        "spans": [span_json(Span.FromString(span)) for span in spans],
    }
    return with_present(encoded, schemaUrl=source.scope_schema_url.decode())


def span_json(span: Span) -> Json:
    encoded: Json = {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": str(span.end_time_unix_nano),
        "status": status_json(span.status),
    }
    return with_present(
        encoded,
        name=span.name,
        kind=span.kind,
        traceState=span.trace_state,
        parentSpanId=span.parent_span_id.hex(),
        flags=span.flags,
        attributes=attributes_json(span.attributes),
        droppedAttributesCount=span.dropped_attributes_count,
        events=[event_json(event) for event in span.events],
        droppedEventsCount=span.dropped_events_count,
        links=[link_json(link) for link in span.links],
        droppedLinksCount=span.dropped_links_count,
    )


def status_json(status: SpanStatus) -> Json:
    return with_present({}, code=status.code, message=status.message)


def event_json(event: Span.Event) -> Json:
    return with_present(
        {"timeUnixNano": str(event.time_unix_nano), "name": event.name},
        attributes=attributes_json(event.attributes),
        droppedAttributesCount=event.dropped_attributes_count,
    )


def link_json(link: Span.Link) -> Json:
    return with_present(
        {"traceId": link.trace_id.hex(), "spanId": link.span_id.hex()},
        traceState=link.trace_state,
        attributes=attributes_json(link.attributes),
        droppedAttributesCount=link.dropped_attributes_count,
        flags=link.flags,
    )


def attributes_json(attributes: Iterable[KeyValue]) -> list[Json]:
    return [{"key": pair.key, "value": value_json(pair.value)} for pair in attributes]


def value_json(value: AnyValue) -> Json:
    match value.WhichOneof("value"):
        case "string_value":
            return {"stringValue": value.string_value}
        case "int_value":
            return {"intValue": str(value.int_value)}
        case "bool_value":
            return {"boolValue": value.bool_value}
        case "double_value":
            return {"doubleValue": double_json(value.double_value)}
        case "array_value":
            items = list(map(value_json, value.array_value.values))
            return {"arrayValue": with_present({}, values=items)}
        case "kvlist_value":
            pairs = attributes_json(value.kvlist_value.values)
            return {"kvlistValue": with_present({}, values=pairs)}
        case "bytes_value":
            return {"bytesValue": base64.b64encode(value.bytes_value).decode()}
    return {}


def double_json(number: float) -> float | str:
    """JSON has no NaN and no infinity; protobuf writes them as strings."""
    if number != number:
        return "NaN"
    return {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(number, number)


def with_present(encoded: Json, **optional: object) -> Json:
    """*encoded* and those *optional* fields that hold something: proto3 leaves out the rest."""
    encoded.update({name: value for name, value in optional.items() if value})
    return encoded


# --- in


def request_from_json(body: bytes) -> bytes:
    """A JSON `ExportTraceServiceRequest`, serialized. Unknown fields are ignored, as OTLP demands.

    Malformed: not JSON, not that message, or an id that is not hex.
    """
    try:
        request = orjson.loads(body)
        if not isinstance(request, dict):
            raise Malformed("an ExportTraceServiceRequest is a JSON object")
        ids_to_base64(request)
        message = json_format.ParseDict(
            request, ExportTraceServiceRequest(), ignore_unknown_fields=True
        )
    except (orjson.JSONDecodeError, json_format.ParseError, NotBase64) as error:
        raise Malformed(f"not an ExportTraceServiceRequest in JSON: {error}") from error
    serialized: bytes = message.SerializeToString()
    return serialized


def ids_to_base64(request: object) -> None:
    """Rewrite every id in place, from OTLP's hex to the base64 that protobuf's reader expects."""
    waiting = [request]
    while waiting:
        match waiting.pop():
            case dict() as message:
                for name in ID_FIELDS & message.keys():
                    message[name] = hex_to_base64(message[name])
                waiting.extend(message.values())
            case list() as items:
                waiting.extend(items)


def hex_to_base64(digits: object) -> str:
    if not isinstance(digits, str):
        raise Malformed("an id is a string of hex digits")
    try:
        return base64.b64encode(bytes.fromhex(digits)).decode()
    except ValueError as error:
        raise Malformed(f"not hex: {digits[:40]!r}") from error
