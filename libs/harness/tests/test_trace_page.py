"""A failure links to a page where there is one, and to the trace itself where there is none."""

import httpx
from harness.traces.page import trace_page

STORE = "http://traces:16686"


def page_of(answer: httpx.Response) -> str:
    return trace_page(STORE, "a1", httpx.MockTransport(lambda _: answer))


def test_a_store_with_pages_is_linked_to_its_page() -> None:
    html = httpx.Response(200, headers={"content-type": "text/html; charset=utf-8"}, text="<p>")

    assert page_of(html) == f"{STORE}/trace/a1"


def test_a_store_without_pages_is_linked_to_the_trace_itself() -> None:
    plain = httpx.Response(200, headers={"content-type": "text/plain"}, text="not the page")

    for answer in (httpx.Response(404), plain):
        assert page_of(answer) == f"{STORE}/api/v3/traces/a1?rawTraces=true"


def test_a_store_that_is_gone_is_linked_to_where_it_was() -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("gone", request=request)

    assert trace_page(STORE, "a1", httpx.MockTransport(gone)) == f"{STORE}/trace/a1"
