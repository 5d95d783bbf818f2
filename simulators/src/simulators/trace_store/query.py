"""Jaeger's read API by trace id, `/stats`, `/api/metrics`, and pages for people.

No search for programs: Jaeger removed it. People have one, on the first page.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from http import HTTPStatus

from simulators.trace_store.answer import (
    HEALTHY,
    Answer,
    Environ,
    StartResponse,
    WSGIApp,
    json_answer,
)
from simulators.trace_store.jaeger_json import jaeger_json
from simulators.trace_store.metrics import Metrics, as_json
from simulators.trace_store.otlp_json import Json, traces_json
from simulators.trace_store.store import Store

TRACE_ID = re.compile(r"[0-9a-fA-F]{1,32}")  # Jaeger pads a short one with zeros on the left.
TRACE_ID_DIGITS = 32

ReadTrace = Callable[[Store, str], Answer]


class MalformedId(ValueError):
    """What stands where a trace id should is not one."""


def create_query(store: Store, metrics: Metrics) -> WSGIApp:
    """The WSGI application of the query port."""

    def query(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            answer = error_v3(HTTPStatus.METHOD_NOT_ALLOWED, "this port only reads")
        else:
            path, asked = environ.get("PATH_INFO", "/"), environ.get("QUERY_STRING", "")
            answer = route(store, metrics, path, asked)
        return answer.send(start_response)

    return query


def route(store: Store, metrics: Metrics, path: str, query: str = "") -> Answer:
    match path:
        case "/metrics":
            return metrics_page(metrics)
        case "/api/metrics":
            return json_answer({"metrics": [as_json(*found) for found in metrics.all()]})
        case "/":
            return recent_page(store, query)
        case "/healthz":
            return HEALTHY
        case "/stats":
            return json_answer(asdict(store.stats()))
    for prefix, read_trace in TRACE_ROUTES.items():
        if path.startswith(prefix) and "/" not in (trace_id := path.removeprefix(prefix)):
            return read_trace(store, trace_id)
    return error_v3(HTTPStatus.NOT_FOUND, f"no such path: {path}")


def trace_v3(store: Store, trace_id: str) -> Answer:
    """`rawTraces` changes nothing: we never adjust what was sent."""
    try:
        traces = find(store, trace_id)
    except MalformedId as error:
        return error_v3(HTTPStatus.BAD_REQUEST, f"malformed parameter trace_id: {error}")
    if traces is None:
        return error_v3(HTTPStatus.NOT_FOUND, "No traces found")
    return json_answer({"result": traces})


def trace_v1(store: Store, trace_id: str) -> Answer:
    try:
        traces = find(store, trace_id)
    except MalformedId as error:
        return error_v1(HTTPStatus.BAD_REQUEST, str(error))
    if traces is None:
        return error_v1(HTTPStatus.NOT_FOUND, "trace not found")
    return json_answer(jaeger_json(traces))


# The pages are for the moment a person looks: a store that only serves tests never loads the
# template engine, which is a fifth of its memory.
def recent_page(store: Store, query: str) -> Answer:
    from simulators.trace_store import pages

    return pages.recent(store, query)


def metrics_page(metrics: Metrics) -> Answer:
    from simulators.trace_store import pages

    return pages.figures(metrics)


def trace_page(store: Store, trace_id: str) -> Answer:
    from simulators.trace_store import pages

    try:
        traces = find(store, trace_id)
    except MalformedId:
        return pages.not_found(trace_id, HTTPStatus.BAD_REQUEST)
    if traces is None:
        return pages.not_found(trace_id, HTTPStatus.NOT_FOUND)
    return pages.trace(traces)


TRACE_ROUTES: dict[str, ReadTrace] = {
    "/api/v3/traces/": trace_v3,
    "/api/traces/": trace_v1,
    "/trace/": trace_page,
}


def find(store: Store, trace_id: str) -> Json | None:
    """The trace as OTLP/JSON; None when unknown. MalformedId: not 1 to 32 hex digits."""
    if not TRACE_ID.fullmatch(trace_id):
        raise MalformedId(f"a trace id has 1 to {TRACE_ID_DIGITS} hex digits: {trace_id[:64]!r}")
    trace = store.get(bytes.fromhex(trace_id.rjust(TRACE_ID_DIGITS, "0")))
    return None if trace is None else traces_json(trace)


def error_v3(status: HTTPStatus, message: str) -> Answer:
    """As Jaeger's gateway says it."""
    return json_answer({"error": {"httpCode": status.value, "message": message}}, status)


def error_v1(status: HTTPStatus, message: str) -> Answer:
    errors = [{"code": status.value, "msg": message}]
    return json_answer(
        {"data": None, "total": 0, "limit": 0, "offset": 0, "errors": errors}, status
    )
