"""One SERVER span per call of the shop and one CLIENT span per webhook that is sent.

Sent by OTLP over HTTP, only when an endpoint is set.
"""

import os
import threading
from typing import TYPE_CHECKING

from flask import Flask
from opentelemetry import trace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"

# Traces are read a moment after the fact, so spans may not wait for the usual 5 s.
SCHEDULE_DELAY_MS = 200

# Part of the one second in which SIGTERM ends the process, though nobody may take the spans.
FLUSH_WITHIN_S = 0.3

# Observation and the page belong to tests and people, not to any checkout.
# The pages of 3-D Secure have a key in their address, which is nobody's business.
EXCLUDED_URLS = r"^https?://[^/]+/(healthz|book/|3ds/|payments/|static/|favicon|\?|$)"


def provider() -> "TracerProvider | None":
    """Of spans, if OTEL_EXPORTER_OTLP_ENDPOINT is set; call in the process that serves.

    The imports wait for that: without an endpoint they would only cost memory.
    """
    if not os.environ.get(ENDPOINT):
        return None
    from harness.traces import ledger_writer
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": "payment-provider"})
    made = TracerProvider(resource=resource, shutdown_on_exit=False)
    ledger = ledger_writer.from_environment("payment-provider", "web")
    if ledger:
        made.add_span_processor(ledger)
    made.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=SCHEDULE_DELAY_MS)
    )
    return made


def install(app: Flask, provider: "TracerProvider | None") -> None:
    """Trace every call of `app`."""
    if provider is None:
        return
    from opentelemetry.instrumentation.flask import FlaskInstrumentor

    FlaskInstrumentor().instrument_app(  # type: ignore[no-untyped-call]
        app, tracer_provider=provider, excluded_urls=EXCLUDED_URLS, enable_commenter=False
    )


def tracer(provider: "TracerProvider | None") -> trace.Tracer:
    """For spans that are not of a request."""
    return provider.get_tracer(__package__) if provider else trace.NoOpTracer()


def flush(provider: "TracerProvider | None") -> None:
    """Send what is left, for FLUSH_WITHIN_S at most: the exporter's own patience is longer."""
    if provider is None:
        return
    sending = threading.Thread(target=provider.shutdown, daemon=True)
    sending.start()
    sending.join(FLUSH_WITHIN_S)
