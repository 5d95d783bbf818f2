"""Where a person can look at a trace: a page if the trace store has one, else its JSON."""

import httpx

ASK_WITHIN_S = 2.0


def trace_page(query_url: str, trace_id: str, transport: httpx.BaseTransport | None = None) -> str:
    """Jaeger's page and ours have one address; a Jaeger that was built without pages has none."""
    page = f"{query_url}/trace/{trace_id}"
    try:
        with httpx.Client(timeout=ASK_WITHIN_S, transport=transport) as http:
            answer = http.get(page)
    except httpx.TransportError:
        return page  # A store that is gone has no better address.
    if answer.is_success and "text/html" in answer.headers.get("content-type", ""):
        return page
    return f"{query_url}/api/v3/traces/{trace_id}?rawTraces=true"
