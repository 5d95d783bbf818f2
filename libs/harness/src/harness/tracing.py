"""Exports the harness's own spans, so that a trace begins where the shopper does."""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

# As often as the services of an embedded stack.
EXPORT_EVERY_MS = 200
# A burst of shoppers between two exports must not overflow the queue: that drops spans.
QUEUE_SIZE = 16_384


def trace_to(otlp_url: str, service_name: str) -> None:
    """Send this process's spans to *otlp_url*, as *service_name*. Once a process."""
    provider = TracerProvider(resource=Resource({"service.name": service_name}))
    exporter = OTLPSpanExporter(endpoint=f"{otlp_url}/v1/traces")
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter, schedule_delay_millis=EXPORT_EVERY_MS, max_queue_size=QUEUE_SIZE
        )
    )
    trace.set_tracer_provider(provider)
