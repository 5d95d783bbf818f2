"""Exports the harness's own spans, so that a trace begins where the shopper does."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from harness.traces.ledger_writer import SpanLedger

# As often as the services of an embedded stack.
EXPORT_EVERY_MS = 200
# A burst of shoppers between two exports must not overflow the queue: that drops spans.
QUEUE_SIZE = 16_384

# As the SDK has it.
FLUSH_WITHIN_MS = 30_000

# What a ledger calls those who shop: neither a web process nor a worker of the shop.
ROLE = "client"


class Destination(SpanProcessor):
    """Where the spans of this process go: a trace store, and the ledger of its shop."""

    def __init__(self, otlp_url: str, service_name: str, span_ledger_dir: str = "") -> None:
        """span_ledger_dir: where to write down which spans there are; nowhere, if empty."""
        self.resource = Resource(
            {
                "service.name": service_name,
                "service.instance.id": f"{service_name}-{ROLE}-{os.getpid()}-{platform.node()}",
            }
        )
        exporter = OTLPSpanExporter(endpoint=f"{otlp_url}/v1/traces")
        export = BatchSpanProcessor(
            exporter, schedule_delay_millis=EXPORT_EVERY_MS, max_queue_size=QUEUE_SIZE
        )
        ledger = [SpanLedger(span_ledger_dir, service_name, ROLE)] if span_ledger_dir else []
        self._processors: list[SpanProcessor] = [*ledger, export]

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        for processor in self._processors:
            processor.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        for processor in self._processors:
            processor.on_end(span)

    def shutdown(self) -> None:
        for processor in self._processors:
            processor.shutdown()

    def force_flush(self, timeout_millis: int = FLUSH_WITHIN_MS) -> bool:
        done = [processor.force_flush(timeout_millis) for processor in self._processors]
        return all(done)


class _Switch(SpanProcessor):
    """A process has one provider for good; this is what of it may change."""

    def __init__(self, destination: Destination) -> None:
        self.destination = destination

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.destination.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        self.destination.on_end(span)

    def shutdown(self) -> None:
        self.destination.shutdown()

    def force_flush(self, timeout_millis: int = FLUSH_WITHIN_MS) -> bool:
        return self.destination.force_flush(timeout_millis)


_switches: list[_Switch] = []


def trace_to(otlp_url: str, service_name: str, span_ledger_dir: str = "") -> None:
    """Send this process's spans to *otlp_url*, as *service_name*, from now on.

    span_ledger_dir: where to write down which spans there are; nowhere, if empty.
    """
    _aim(Destination(otlp_url, service_name, span_ledger_dir))


@contextmanager
def aimed_at(destination: Destination) -> Iterator[None]:
    """Meanwhile this process's spans go to *destination*: those of another shop."""
    before = _switches[0].destination if _switches else None
    _aim(destination)
    try:
        yield
    finally:
        flush()
        if before:
            _aim(before)


def _aim(destination: Destination) -> None:
    if _switches:
        _switches[0].destination = destination
        return
    _switches.append(_Switch(destination))
    provider = TracerProvider(resource=destination.resource)
    provider.add_span_processor(_switches[0])
    trace.set_tracer_provider(provider)


def flush() -> None:
    """Send what this process has not sent yet. Its answer says nothing: ask the trace store."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush()
