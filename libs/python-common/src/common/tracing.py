"""OpenTelemetry: one provider a process, W3C context through HTTP, outbox and queues.

Messaging spans are written by hand (ADR-0005): the botocore instrumentation does not
propagate through SQS. Names follow the semantic conventions v1.44 (messaging: Development).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("cartwright")


def service_name() -> str:
    """The name this process publishes and traces under; set by whoever starts it."""
    return os.environ.get("SERVICE_NAME", "unknown")


def install(role: str) -> None:
    """Export this process's spans by OTLP over HTTP, if an endpoint is configured.

    Calls by httpx carry the trace from then on. role: ``web`` or ``worker``. Call once, after
    any fork: the exporter has a thread.
    """
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    resource = Resource(
        {
            "service.name": service_name(),
            "service.instance.id": f"{service_name()}-{role}-{os.getpid()}",
            "service.role": role,
        }
    )
    provider = TracerProvider(resource=resource, shutdown_on_exit=True)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    HTTPXClientInstrumentor().instrument()


def flush(timeout_ms: int = 2_000) -> None:
    """Send what is buffered, before the process ends."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush(timeout_ms)


def current_traceparent() -> str | None:
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")


def current_trace_id() -> str | None:
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else None


def context_of(traceparent: str | None) -> Context:
    return _propagator.extract({"traceparent": traceparent} if traceparent else {}, Context())


def start_publish_span(event_type: str, event_id: str, topic: str, traceparent: str | None) -> Span:
    """The relay's span for sending one event; child of the span that recorded it."""
    return _tracer.start_span(
        f"publish {event_type}",
        context_of(traceparent),
        SpanKind.PRODUCER,
        {
            "messaging.system": "aws.sns",
            "messaging.operation.type": "send",
            "messaging.destination.name": topic,
            "messaging.message.id": event_id,
            "app.event.type": event_type,
            "app.event.id": event_id,
        },
    )


def traceparent_of(span: Span) -> str | None:
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier.get("traceparent")


def start_process_span(event_type: str, event_id: str, queue: str, traceparent: str | None) -> Span:
    """The span of handling one message: child of its creation context, and linked to it.

    The caller ends it, once it knows what became of the transaction.
    """
    parent = context_of(traceparent)
    created = trace.get_current_span(parent).get_span_context()
    return _tracer.start_span(
        f"process {event_type}",
        parent,
        SpanKind.CONSUMER,
        {
            "messaging.system": "aws_sqs",
            "messaging.operation.type": "process",
            "messaging.destination.name": queue,
            "messaging.message.id": event_id,
            "app.event.type": event_type,
            "app.event.id": event_id,
        },
        [Link(created)] if created.is_valid else None,
    )


@contextmanager
def resumed_span(name: str, traceparent: str | None, **attributes: str) -> Iterator[Span]:
    """A span for work that was recorded earlier, in the trace that recorded it."""
    with _tracer.start_as_current_span(
        name, context_of(traceparent), SpanKind.INTERNAL, attributes
    ) as span:
        yield span
