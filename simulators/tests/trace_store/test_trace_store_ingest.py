"""What the OTLP port takes, what it refuses, and that a refusal leaves nothing behind."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import json_format  # type: ignore[import-untyped]  # It ships no types.
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from simulators.trace_store.ingest import BODY_BYTES_MAX
from simulators.trace_store.wire import Status

JSON = "application/json"
MakeSpan = Callable[..., Span]
MakeRequest = Callable[..., bytes]


def as_otlp_json(body: bytes) -> dict[str, Any]:
    """The request in OTLP's JSON: ids in hex. Written here apart from the code under test."""
    message = json_format.MessageToDict(
        ExportTraceServiceRequest.FromString(body), use_integers_for_enums=True
    )
    for resource_spans in message["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span, sent in zip(scope_spans["spans"], spans_of(body), strict=True):
                span |= {"traceId": sent.trace_id.hex(), "spanId": sent.span_id.hex()}
                if sent.parent_span_id:
                    span["parentSpanId"] = sent.parent_span_id.hex()
    return dict(message)


def spans_of(body: bytes) -> list[Span]:
    return list(ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans)


def test_protobuf_is_taken(running: Any, span: MakeSpan, request_of: MakeRequest) -> None:
    answer = running.post(request_of(span(1, 1), span(1, 2, parent=1)))

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.content_type == "application/x-protobuf"
    assert [stored["spanId"] for stored in running.spans(1)] == [f"{1:016x}", f"{2:016x}"]


def test_json_gives_the_same_trace_as_protobuf(
    running_with: Any, span: MakeSpan, request_of: MakeRequest
) -> None:
    body = request_of(span(1, 1), span(1, 2, parent=1))
    by_protobuf, by_json = running_with(), running_with()

    by_protobuf.post(body)
    answer = by_json.post(json.dumps(as_otlp_json(body)).encode(), JSON)

    assert (answer.status_code, answer.get_json()) == (200, {})
    assert by_json.spans(1) == by_protobuf.spans(1)


def test_json_may_hold_fields_we_do_not_know(
    running: Any, span: MakeSpan, request_of: MakeRequest
) -> None:
    message = as_otlp_json(request_of(span(1, 1))) | {"addedLater": [{"deep": 1}]}

    assert running.post(json.dumps(message).encode(), f"{JSON}; charset=utf-8").status_code == 200
    assert len(running.spans(1)) == 1


def test_gzip_is_taken(running: Any, span: MakeSpan, request_of: MakeRequest) -> None:
    body = gzip.compress(request_of(span(1, 1)))

    assert running.post(body, **{"Content-Encoding": "gzip"}).status_code == 200
    assert len(running.spans(1)) == 1


def test_ids_in_an_unusual_order_are_found(
    running: Any, span: MakeSpan, request_of: MakeRequest
) -> None:
    usual = span(1, 1).SerializeToString()
    ids, rest = usual[:28], usual[28:]  # The ids, and what follows them.
    unusual = rest + ids
    body = request_of(span(1, 1)).replace(usual, unusual)

    assert running.post(body).status_code == 200
    assert running.spans(1)[0]["name"] == "span 1"


def test_an_empty_request_is_fine(running: Any) -> None:
    assert running.post(b"").status_code == 200
    assert running.store.stats().traces == 0


@pytest.mark.parametrize(
    "changes",
    [{"trace_id": b"short"}, {"trace_id": b""}, {"span_id": b"\x01" * 9}, {"span_id": b""}],
)
def test_an_id_of_the_wrong_length_refuses_the_whole_request(
    running: Any, span: MakeSpan, request_of: MakeRequest, changes: dict[str, bytes]
) -> None:
    answer = running.post(request_of(span(1, 1), span(1, 2, **changes)))

    assert answer.status_code == 400
    assert running.store.stats().spans == 0


def damaged_span(body: bytes) -> bytes:
    """The name of the last span, deep inside, is no UTF-8 any more."""
    return body.replace(b"span 2", b"span \xff")


@pytest.mark.parametrize(
    "damage",
    [lambda body: body[:-3], lambda body: b"\xff" + body, lambda _: b"{}", damaged_span],
    ids=["cut off", "not protobuf", "JSON", "damaged inside a span"],
)
def test_a_malformed_body_changes_nothing(
    running: Any, span: MakeSpan, request_of: MakeRequest, damage: Callable[[bytes], bytes]
) -> None:
    answer = running.post(damage(request_of(span(1, 1), span(1, 2))))

    assert answer.status_code == 400
    assert "ExportTraceServiceRequest" in Status.FromString(answer.data).message
    assert running.store.stats().spans == 0


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b'{"resourceSpans": 1}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": 5}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "no ids"}]}]}]}',
    ],
)
def test_malformed_json_changes_nothing(running: Any, body: bytes) -> None:
    answer = running.post(body, JSON)

    assert answer.status_code == 400
    assert answer.get_json()["message"]
    assert running.store.stats().spans == 0


@pytest.mark.parametrize("field", ["resourceSpans", "addedLater"])
def test_json_as_deep_as_a_well_breaks_nothing(running: Any, field: str) -> None:
    well = b'{"%s":' % field.encode() * 900 + b"1" + b"}" * 900

    assert running.post(well, JSON).status_code in {200, 400}
    assert running.store.stats().spans == 0


def test_gzip_that_is_none_or_ends_early_is_malformed(
    running: Any, span: MakeSpan, request_of: MakeRequest
) -> None:
    whole = gzip.compress(request_of(span(1, 1)))

    for body in (b"not gzip", whole[:-9]):
        assert running.post(body, **{"Content-Encoding": "gzip"}).status_code == 400
    assert running.store.stats().spans == 0


def test_a_body_beyond_the_limit_is_refused(running: Any) -> None:
    assert running.post(b"\x00" * (BODY_BYTES_MAX + 1)).status_code == 413


def test_a_small_body_that_unpacks_beyond_the_limit_is_refused(running: Any) -> None:
    bomb = gzip.compress(b"\x00" * (BODY_BYTES_MAX + 1))

    answer = running.post(bomb, **{"Content-Encoding": "gzip"})

    assert len(bomb) < 100_000
    assert answer.status_code == 413


@pytest.mark.parametrize("content_type", ["text/plain", ""])
def test_only_otlps_two_encodings_are_taken(running: Any, content_type: str) -> None:
    assert running.post(b"", content_type).status_code == 415


def test_only_gzip_compression_is_taken(running: Any) -> None:
    assert running.post(b"", **{"Content-Encoding": "br"}).status_code == 415


def test_spans_are_taken_on_the_otlp_port_only(
    running: Any, span: MakeSpan, request_of: MakeRequest
) -> None:
    assert running.post(request_of(span(1, 1)), port=16686).status_code == 405
    assert running.get("/api/v3/traces/1", port=4318).status_code == 404
    assert running.get("/v1/traces", port=4318).status_code == 405
