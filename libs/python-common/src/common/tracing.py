"""OpenTelemetry: one provider a process, W3C context through HTTP, outbox and queues.

Messaging spans are written by hand (ADR-0005): the botocore instrumentation does not
propagate through SQS. Names follow the semantic conventions v1.44 (messaging: Development).
"""

import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from card_numbers import holds_card_number
from flask import request
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import Link, Span, SpanKind, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes, AttributeValue
from sqlalchemy import Engine

from common import metrics, span_ledger

# The stable names of HTTP and database spans and metrics; without it the instrumentations write
# those of before 2023.
SEMANTIC_CONVENTIONS = "http,database"
# What the parameters of our contracts are called; any other name may be a value gone astray.
_PARAMETER = re.compile(r"[a-z_]{1,32}")
# Part of a JWT, or a refresh token: a UUID has 36 of these, and a SKU hardly ever as many.
_TOKEN = re.compile(r"[\w-]{40}")

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
            "service.instance.id": f"{service_name()}-{role}-{os.getpid()}-{platform.node()}",
            "service.role": role,
        }
    )
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", SEMANTIC_CONVENTIONS)
    metrics.install(resource)
    sampler = ParentBased(FlowsOnly())
    provider = TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=True)
    ledger = span_ledger.from_environment(service_name(), role)
    if ledger:
        provider.add_span_processor(ledger)  # First: what is sent is written down already.
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    HTTPXClientInstrumentor().instrument(request_hook=hide_secrets_of_call)


def trace_database(engine: Engine) -> None:
    """A span for every statement on *engine*, if TRACE_DATABASE is set; without its values.

    Off unless asked for: it costs more than most of the statements (docs/performance.md).
    """
    if os.environ.get("TRACE_DATABASE"):
        SQLAlchemyInstrumentor().instrument(engine=engine)


def forget_tracestate() -> None:
    """Before a request's span begins, which would keep whatever the caller wrote there, as would
    those of our neighbours; we have no use for it (W3C Trace Context §4.4 lets us drop it).
    """
    request.environ.pop("HTTP_TRACESTATE", None)


def hide_secrets(span: Span | None, _status: str = "", _headers: object = None) -> None:
    """Hide what callers may have pasted: values of parameters, paths that are none of ours, and
    card numbers and tokens wherever they stand.

    Called with the answer, because the instrumentation writes the request's attributes twice.
    """
    if not isinstance(span, ReadableSpan) or not span.attributes:
        return
    texts = _texts(span.attributes)
    if query := texts.pop("url.query", ""):
        names = (part.partition("=")[0] for part in query.split("&"))
        told = sorted({name for name in names if _PARAMETER.fullmatch(name)})
        span.set_attribute("url.query", "&".join(f"{name}=[hidden]" for name in told))
    if "http.route" not in texts:
        span.update_name(texts.get("http.request.method", "HTTP"))
        span.set_attribute("url.path", "[hidden]")
    _hide_secret_texts(span, texts)


def hide_secrets_of_call(span: Span | None, _request: object = None) -> None:
    """Hide card numbers and tokens in what a neighbour is asked: its address (``url.full``)."""
    if isinstance(span, ReadableSpan) and span.attributes:
        _hide_secret_texts(span, _texts(span.attributes))


def _texts(attributes: Mapping[str, AttributeValue]) -> dict[str, str]:
    return {name: text for name, text in attributes.items() if isinstance(text, str)}


def _hide_secret_texts(span: Span, texts: Mapping[str, str]) -> None:
    if _is_secret("\n".join(texts.values())):
        for name, text in texts.items():
            if _is_secret(text):
                span.set_attribute(name, "[hidden]")


def _is_secret(text: str) -> bool:
    return bool(_TOKEN.search(text)) or holds_card_number(text)


class FlowsOnly(Sampler):
    """Every flow is traced, but what a loop asks of a neighbour or a database starts none.

    Else each poll of an empty table would be a trace of its own.
    """

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if kind is SpanKind.CLIENT:
            return SamplingResult(Decision.DROP)
        return ALWAYS_ON.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        return "FlowsOnly"


def flush(timeout_ms: int = 2_000) -> None:
    """Send what is buffered, spans and metrics, before the process ends."""
    metrics.flush(timeout_ms)
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
def resumed_span(
    name: str, traceparent: str | None, *, caused_by: str | None = None, **attributes: str
) -> Iterator[Span]:
    """A span for work that was recorded earlier, in the trace that recorded it.

    caused_by: the traceparent of what set it off, if that is something else.
    """
    cause = trace.get_current_span(context_of(caused_by)).get_span_context()
    links = [Link(cause)] if cause.is_valid else None
    with _tracer.start_as_current_span(
        name, context_of(traceparent), SpanKind.INTERNAL, attributes, links
    ) as span:
        yield span
