"""OTLP/HTTP in: `POST /v1/traces` in protobuf or JSON, `POST /v1/metrics` in protobuf.

gzip is allowed (OTLP 1.x, "OTLP/HTTP").

A request is stored whole or not at all. Retrying is safe: a span that came before is dropped.
"""

import zlib
from collections.abc import Iterable
from http import HTTPStatus

from simulators.trace_store.answer import (
    HEALTHY,
    JSON,
    Answer,
    Environ,
    StartResponse,
    WSGIApp,
    json_answer,
)
from simulators.trace_store.journal import Journal
from simulators.trace_store.metrics import Metrics
from simulators.trace_store.store import Store
from simulators.trace_store.wire import Malformed, Status, read_request

PROTOBUF = "application/x-protobuf"

# What the OpenTelemetry Collector takes, compressed and after. Exporters send 512 spans at a time.
BODY_BYTES_MAX = 20 * 1024 * 1024

GZIP_WINDOW = 16 + zlib.MAX_WBITS  # zlib: 16 more means "with a gzip header"

INVALID_ARGUMENT = 3  # google.rpc.Code; OTLP wants a google.rpc.Status in every refusal.


class Refused(Exception):
    """The request cannot be taken. Carries the status and one sentence of why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


def create_ingest(store: Store, metrics: Metrics, journal: Journal | None = None) -> WSGIApp:
    """The WSGI application of the OTLP port."""

    def ingest(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return route(store, metrics, journal, environ).send(start_response)

    return ingest


def route(store: Store, metrics: Metrics, journal: Journal | None, environ: Environ) -> Answer:
    encoding = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    try:
        match environ["REQUEST_METHOD"], environ.get("PATH_INFO"):
            case "GET", "/healthz":
                return HEALTHY
            case "POST", "/v1/traces":
                take(store, journal, read_spans(environ, encoding))
                return Answer(b"{}" if encoding == JSON else b"", encoding)
            case "POST", "/v1/metrics":
                metrics.add(read_metrics(environ, encoding))
                return Answer(b"", encoding)
            case _, "/v1/traces" | "/v1/metrics" | "/healthz":
                raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "POST /v1/traces takes spans")
        raise Refused(HTTPStatus.NOT_FOUND, "this port takes spans at POST /v1/traces")
    except Malformed as error:
        return refusal(HTTPStatus.BAD_REQUEST, str(error), encoding)
    except Refused as error:
        return refusal(error.status, str(error), encoding)


def take(store: Store, journal: Journal | None, request: bytes) -> None:
    """Refused: it cannot be kept, and is not stored. Malformed: not what it says it is."""
    batches = read_request(request)
    if journal:
        try:
            journal.append(request)
        except OSError as error:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
    store.add(batches)


def read_spans(environ: Environ, encoding: str) -> bytes:
    """The request in protobuf.

    Refused: not an encoding we know, or too large. Malformed: not the JSON it says it is.
    """
    if encoding == PROTOBUF:
        return read_body(environ)
    if encoding == JSON:
        # Only browsers and tests send JSON: the services never pay for loading this.
        from simulators.trace_store.otlp_json import request_from_json

        return request_from_json(read_body(environ))
    raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {PROTOBUF} or {JSON}")


def read_metrics(environ: Environ, encoding: str) -> bytes:
    """The protobuf body of a request with metrics: only our own exporters send them."""
    if encoding != PROTOBUF:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send metrics as {PROTOBUF}")
    return read_body(environ)


def read_body(environ: Environ) -> bytes:
    if int(environ.get("CONTENT_LENGTH") or 0) > BODY_BYTES_MAX:
        raise too_large()
    body: bytes = environ["wsgi.input"].read(BODY_BYTES_MAX + 1)
    match environ.get("HTTP_CONTENT_ENCODING", "identity").lower():
        case "identity" | "":
            plain = body
        case "gzip":
            plain = unzip(body)
        case other:
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"{other}: send gzip or nothing")
    if max(len(body), len(plain)) > BODY_BYTES_MAX:
        raise too_large()
    return plain


def unzip(body: bytes) -> bytes:
    """Stops one byte beyond the limit, so that a small bomb stays small."""
    stream = zlib.decompressobj(wbits=GZIP_WINDOW)
    try:
        plain = stream.decompress(body, BODY_BYTES_MAX + 1)
    except zlib.error as error:
        raise Malformed(f"not gzip: {error}") from error
    if not stream.eof and len(plain) <= BODY_BYTES_MAX:
        raise Malformed("the gzip stream is cut off")
    return plain


def too_large() -> Refused:
    return Refused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request has at most {BODY_BYTES_MAX} bytes"
    )


def refusal(status: HTTPStatus, why: str, encoding: str) -> Answer:
    """OTLP/HTTP, "Failures": the body is a google.rpc.Status in the encoding of the request."""
    if encoding == PROTOBUF:
        content = Status(code=INVALID_ARGUMENT, message=why).SerializeToString()
        return Answer(content, PROTOBUF, status)
    return json_answer({"code": INVALID_ARGUMENT, "message": why}, status)
