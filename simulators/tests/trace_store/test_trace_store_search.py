"""A person finds the traces they look for on the first page."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from simulators.trace_store import pages
from simulators.trace_store.search import Malformed, nanoseconds

MakeSpan = Callable[..., Span]
ORDER = "0197b2f0-0000-7000-8000-000000000001"
ERROR = {"code": 2, "message": "card declined"}


@pytest.fixture
def shop(running: Any, span: MakeSpan) -> Any:
    """Trace 1 is a checkout of 2 and 40 ms, trace 2 a cart that was looked at, trace 3 failed."""
    url = {"key": "url.path", "value": {"string_value": f"/orders/{ORDER}"}}
    running.send(span(1, 1, name="POST /orders"), span(1, 2, name="order.placed", attributes=[url]))
    running.send(
        span(1, 3, parent=1, name="POST /v1/payments", end_time_unix_nano=43_000_000),
        service="payment",
    )
    running.send(span(2, 1, name="GET /cart"), service="cart")
    running.send(span(3, 1, name="POST /orders", status=ERROR))
    return running


def found(running: Any, **search: str) -> list[int]:
    answer = running.get(f"/?{urlencode(search)}")
    assert answer.status_code == 200
    return [int(trace, 16) for trace in re.findall(r'href="/trace/(\w+)"', answer.text)]


@pytest.mark.parametrize(
    ("search", "traces"),
    [
        ({"order_id": ORDER}, [1]),
        ({"service": "cart"}, [2]),
        ({"service": "car"}, []),
        ({"operation": "POST /orders"}, [3, 1]),
        ({"operation": "orders", "error": "true"}, [3]),
        ({"minDuration": "40ms"}, [1]),
        ({"service": "payment", "minDuration": "40ms", "order_id": ORDER}, [1]),
        # No one span is both, as in Jaeger.
        ({"service": "order", "minDuration": "40ms"}, []),
        ({"order_id": "", "service": " ", "operation": "", "minDuration": ""}, [3, 2, 1]),
        ({"lookback": "1h", "error": "false"}, [3, 2, 1]),
    ],
    ids=str,
)
def test_traces_are_found_by_what_one_span_is(
    shop: Any, search: dict[str, str], traces: list[int]
) -> None:
    assert found(shop, **search) == traces


def test_what_is_looked_for_stays_in_the_form_as_text(shop: Any) -> None:
    page = shop.get("/?" + urlencode({"operation": '"><script>', "error": "true"})).text

    assert 'value="&#34;&gt;&lt;script&gt;"' in page
    assert 'name="error" value="true" checked' in page
    assert "<script" not in page


def test_nothing_found_says_so_and_leads_back(shop: Any) -> None:
    page = shop.get("/?service=nobody").text

    assert "None of the latest 3 traces is like that." in page
    assert '<a href="/">See all traces</a>' in page


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (
            "minDuration=fast",
            "minDuration, what it took at least, is a number and unit: 250ms, 1.5s",
        ),
        ("minDuration=5", "minDuration, what it took"),
        ("error=perhaps", "error is true or false"),
        ("operation=" + "x" * 201, "operation has at most 200 characters"),
        ("&".join(["a=1"] * 21), "a search has at most 20 fields"),
    ],
)
def test_a_search_that_cannot_be_understood_is_told_why(shop: Any, query: str, words: str) -> None:
    answer = shop.get(f"/?{query}")

    assert answer.status_code == 400
    assert f'<p class="bad" role="alert">Not searched: {words}' in answer.text
    assert "/trace/" not in answer.text


def test_what_was_given_wrongly_can_be_mended(shop: Any) -> None:
    assert 'value="fast"' in shop.get("/?minDuration=fast").text


def test_a_search_is_bounded(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SEARCHED_MAX", 2)

    assert found(shop, operation="POST /orders") == [3]


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        ("250ms", 250e6),
        ("1.5s", 1.5e9),
        ("1m30s", 90e9),
        ("7us", 7e3),
        ("7µs", 7e3),
        ("2h", 7.2e12),
    ],
)
def test_a_duration_is_written_as_for_jaeger(duration: str, expected: float) -> None:
    assert nanoseconds(duration) == expected


@pytest.mark.parametrize("duration", ["5", "ms", "-5ms", "5 ms", "5msx", "1e3ms", "٣ms"])
def test_what_is_no_duration_is_refused(duration: str) -> None:
    with pytest.raises(Malformed):
        nanoseconds(duration)
