"""What a span tells of a request: which parameters it had, never what was in them."""

import subprocess
import sys
import uuid

import pytest
from common import tracing
from common.auth import Role
from common.testing import token
from flask import Flask, request
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

TRACER = TracerProvider().get_tracer("test")
CARD = "4929002345678904"
# A process of its own: it instruments httpx itself.
CALL = f"""
import httpx
from common import tracing
from opentelemetry import trace
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

tracing.install("web")
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
with trace.get_tracer("test").start_as_current_span("POST /orders"):
    for path in ("products/SKU-1", "products/{CARD}"):
        try:
            httpx.get(f"http://127.0.0.1:9/{{path}}")
        except httpx.ConnectError:
            print("nobody was there")
"""


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
    span = TRACER.start_span("GET", attributes={"http.route": "/products", "url.query": query})

    tracing.hide_secrets(span)

    assert isinstance(span, ReadableSpan)
    assert span.attributes == {"http.route": "/products", "url.query": told}


def test_without_a_query_nothing_is_told() -> None:
    span = TRACER.start_span("GET /products")

    tracing.hide_secrets(span)
    tracing.hide_secrets(None)

    assert isinstance(span, ReadableSpan)
    assert not span.attributes


@pytest.mark.parametrize(
    ("attribute", "secret"),
    [
        ("url.path", "/cart/lines/4929002345678904"),
        ("url.path", "/cart/lines/4929 0023 4567 8904"),
        ("url.path", f"/orders/{token(Role.CUSTOMER, 'ada')}"),
        ("user_agent.original", "4929002345678904"),
        ("server.address", "4929002345678904"),
    ],
    ids=["card in a path", "card in groups", "token", "browser", "host"],
)
def test_no_attribute_holds_a_card_number_or_a_token(attribute: str, secret: str) -> None:
    kept = {"http.route": "/cart/lines/<sku>", "app.order.id": str(uuid.uuid4())}
    span = TRACER.start_span("PUT /cart/lines/<sku>", attributes=kept | {attribute: secret})

    tracing.hide_secrets(span)

    assert isinstance(span, ReadableSpan)
    assert span.attributes == kept | {attribute: "[hidden]"}


def test_a_path_that_is_none_of_ours_is_not_told() -> None:
    told = {"http.request.method": "GET", "url.path": "/correct horse"}
    span = TRACER.start_span("GET /correct horse", attributes=told)

    tracing.hide_secrets(span)

    assert isinstance(span, ReadableSpan)
    assert (span.name, span.attributes) == ("GET", told | {"url.path": "[hidden]"})


def test_what_neighbours_are_asked_holds_no_card_number_either() -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "SERVICE_NAME": "order"}
    quick = {"OTEL_BSP_EXPORT_TIMEOUT": "1", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    command = [sys.executable, "-W", "ignore", "-c", CALL]

    ran = subprocess.run(
        command, env=environment | quick, check=True, capture_output=True, text=True
    )

    assert ran.stdout.count("nobody was there") == 2
    assert '"url.full": "http://127.0.0.1:9/products/SKU-1"' in ran.stdout
    assert '"url.full": "[hidden]"' in ran.stdout
    assert CARD not in ran.stdout


def test_what_a_caller_says_of_other_tracers_is_forgotten() -> None:
    with Flask("probe").test_request_context(headers={"tracestate": "a=4929002345678904"}):
        tracing.forget_tracestate()

        assert "tracestate" not in request.headers
