"""What a span tells of a request: which parameters it had, never what was in them."""

import pytest
from common import tracing
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

TRACER = TracerProvider().get_tracer("test")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("q=4929002345678904&limit=20", "limit=[hidden]&q=[hidden]"),
        ("access_token=canary", "access_token=[hidden]"),
        ("q=a&q=b", "q=[hidden]"),
        ("4929002345678904", ""),
        ("4929002345678904=&q=a", "q=[hidden]"),
    ],
)
def test_a_query_is_known_by_its_names(query: str, told: str) -> None:
    span = TRACER.start_span("GET /products", attributes={"url.query": query})

    tracing.hide_query(span)

    assert isinstance(span, ReadableSpan)
    assert span.attributes == {"url.query": told}


def test_without_a_query_nothing_is_told() -> None:
    span = TRACER.start_span("GET /products")

    tracing.hide_query(span)
    tracing.hide_query(None)

    assert isinstance(span, ReadableSpan)
    assert not span.attributes
