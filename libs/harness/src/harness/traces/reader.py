"""Reads traces from Jaeger, or whatever speaks its `/api/v3`, by their ids only: Jaeger removed its
search routes after v2.20. That nothing new arrived for a while proves nothing: see `proof`.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Any

import httpx

from harness.traces.causality import Trace

# A trace of thousands of spans is megabytes of JSON from a busy machine.
READ_TIMEOUT_S = 10.0

# Jaeger's adjusters repair and merge spans at query time; we want what was sent. It is called
# rawTraces since v2.19 and raw_traces before; an unknown parameter is ignored.
RAW = {"rawTraces": "true", "raw_traces": "true"}


class TraceReader:
    """Reads whole traces by id over Jaeger's `/api/v3`. Close it, or use it with `with`."""

    def __init__(self, query_url: str, transport: httpx.BaseTransport | None = None) -> None:
        """query_url: as `http://127.0.0.1:16686`. transport: for tests without a socket."""
        self._http = httpx.Client(base_url=query_url, timeout=READ_TIMEOUT_S, transport=transport)

    def __enter__(self) -> "TraceReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def fetch(self, trace_id: str) -> Trace | None:
        """The trace as stored now, or None when nothing of it is.

        httpx.HTTPStatusError: any other refusal; a 404 that is not Jaeger's own is one of them,
        lest a wrong address pass for an unknown trace.
        """
        traces = self.fetch_otlp(trace_id)
        return None if traces is None else Trace.from_otlp(traces)

    def fetch_otlp(self, trace_id: str) -> Mapping[str, Any] | None:
        """The same as OTLP/JSON `TracesData`, with all that our own spans leave out."""
        response = self._http.get(f"/api/v3/traces/{trace_id}", params=RAW)
        if is_unknown_trace(response):
            return None
        response.raise_for_status()
        traces: Mapping[str, Any] = response.json()["result"]
        return traces

    def evicted(self) -> int:
        """How many traces the store let go for want of room; 0 where it does not say, as Jaeger."""
        response = self._http.get("/stats")
        if not response.headers.get("Content-Type", "").startswith("application/json"):
            return 0
        return int(response.json().get("evicted", 0))


def is_unknown_trace(response: httpx.Response) -> bool:
    return (
        response.status_code == httpx.codes.NOT_FOUND
        and response.text.lstrip().startswith("{")
        and response.json().get("error", {}).get("httpCode") == httpx.codes.NOT_FOUND
    )
