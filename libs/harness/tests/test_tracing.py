"""A process has one tracer provider for good, and tells its spans to one shop after the other."""

from collections.abc import Iterator
from typing import Any

import pytest
from harness.traces import export
from harness.traces.export import Destination, aimed_at
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider


class Remembering(Destination):
    """Keeps the names of what it is told, and exports nothing."""

    def __init__(self) -> None:
        super().__init__("http://nowhere", "shopper")
        super().shutdown()
        self._processors = []
        self.names: list[str] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.names.append(span.name)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[TracerProvider]]:
    """Where the provider is set, instead of in OpenTelemetry's global, which is set once."""
    made: list[TracerProvider] = []
    monkeypatch.setattr(export, "_switches", [])
    monkeypatch.setattr(trace, "set_tracer_provider", made.append)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: made[0])
    yield made
    for one in made:
        one.shutdown()


def test_spans_go_to_another_shop_for_a_while(provider: list[Any]) -> None:
    ours, theirs = Remembering(), Remembering()
    with aimed_at(ours):
        tracer = provider[0].get_tracer("test")
        tracer.start_span("before").end()
        with aimed_at(theirs):
            tracer.start_span("meanwhile").end()
        tracer.start_span("after").end()

    assert (ours.names, theirs.names) == (["before", "after"], ["meanwhile"])
    assert len(provider) == 1
