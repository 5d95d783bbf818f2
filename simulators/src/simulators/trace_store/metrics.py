"""The latest value of every metric that was sent: enough to look at a shop on one machine.

No history and no query language; for those there is Prometheus, behind a collector.
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from simulators.trace_store.wire import Malformed

# Fourteen processes send about thirty series each; beyond this somebody has put an id in a name.
SERIES_MAX = 20_000

Attributes = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """What tells one line of figures from another."""

    service: str
    instance: str
    name: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Figure:
    """value: the sum of a histogram's, else the number itself. count: of a histogram, else None."""

    unit: str
    kind: str  # sum, gauge, histogram
    value: float
    count: int | None
    at_unix_nano: int


class Metrics:
    """By series, the latest figure. Threads may use one together."""

    def __init__(self) -> None:
        self._figures: dict[Series, Figure] = {}
        self._lock = threading.Lock()
        self.refused = 0  # series beyond SERIES_MAX

    def add(self, body: bytes) -> None:
        """An ExportMetricsServiceRequest in protobuf. Raises Malformed; then nothing is kept."""
        try:
            request = ExportMetricsServiceRequest.FromString(body)
        except DecodeError as error:
            raise Malformed(f"not an ExportMetricsServiceRequest: {error}") from error
        found = list(_figures(request))
        with self._lock:
            for series, figure in found:
                if series in self._figures or len(self._figures) < SERIES_MAX:
                    self._figures[series] = figure
                else:
                    self.refused += 1

    def all(self) -> list[tuple[Series, Figure]]:
        """Sorted by service, instance, name and attributes."""
        with self._lock:
            return sorted(self._figures.items())


def as_json(series: Series, figure: Figure) -> dict[str, Any]:
    return {
        "service": series.service,
        "instance": series.instance,
        "name": series.name,
        "attributes": dict(series.attributes),
        "unit": figure.unit,
        "kind": figure.kind,
        "value": figure.value,
        "count": figure.count,
        "at_unix_nano": str(figure.at_unix_nano),  # As OTLP/JSON writes 64-bit integers.
    }


def _figures(request: Any) -> Iterator[tuple[Series, Figure]]:
    for resource_metrics in request.resource_metrics:
        resource = dict(_attributes(resource_metrics.resource.attributes))
        origin = resource.get("service.name", ""), resource.get("service.instance.id", "")
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                kind = metric.WhichOneof("data")
                if kind in {"sum", "gauge", "histogram"}:
                    for point in getattr(metric, kind).data_points:
                        series = Series(*origin, metric.name, _attributes(point.attributes))
                        yield series, _figure(metric.unit, kind, point)


def _figure(unit: str, kind: str, point: Any) -> Figure:
    if kind == "histogram":
        return Figure(unit, kind, point.sum, point.count, point.time_unix_nano)
    value = point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
    return Figure(unit, kind, value, None, point.time_unix_nano)


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    return tuple(sorted((pair.key, _text(pair.value)) for pair in pairs))


def _text(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    return "" if kind is None else str(getattr(value, kind))
