"""The latest figure of every metric that was sent, as JSON and as a page."""

from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)
from simulators.trace_store import metrics as module
from werkzeug.test import TestResponse

PROTOBUF = "application/x-protobuf"


def pair(name: str, value: str) -> KeyValue:
    return KeyValue(key=name, value=AnyValue(string_value=value))


def send(running: Any, *metrics: Metric, content_type: str = PROTOBUF) -> TestResponse:
    request = ExportMetricsServiceRequest()
    resource_metrics = request.resource_metrics.add()
    resource_metrics.resource.attributes.append(pair("service.name", "order"))
    resource_metrics.scope_metrics.add().metrics.extend(metrics)
    return running.http.post(
        "/v1/metrics",
        data=request.SerializeToString(),
        content_type=content_type,
        base_url="http://localhost:4318",
    )


def counter(value: int, status: str = "confirmed") -> Metric:
    point = NumberDataPoint(as_int=value, attributes=[pair("status", status)])
    return Metric(name="app.orders.final", unit="{order}", sum=Sum(data_points=[point]))


def figures(running: Any) -> list[tuple[str, dict[str, str], float, int | None]]:
    answer = running.get("/api/metrics").get_json()["metrics"]
    return [(m["name"], m["attributes"], m["value"], m["count"]) for m in answer]


def test_the_latest_figure_of_a_series_replaces_the_one_before(running: Any) -> None:
    send(running, counter(3))
    send(running, counter(5))

    assert figures(running) == [("app.orders.final", {"status": "confirmed"}, 5, None)]


def test_series_are_told_apart_by_their_attributes(running: Any) -> None:
    send(running, counter(3), counter(1, status="cancelled"))

    assert [attributes["status"] for _, attributes, _, _ in figures(running)] == [
        "cancelled",
        "confirmed",
    ]


def test_gauges_and_histograms_are_kept_too(running: Any) -> None:
    gauge = Metric(name="a.gauge", gauge=Gauge(data_points=[NumberDataPoint(as_double=0.5)]))
    point = HistogramDataPoint(sum=6.0, count=3)
    histogram = Metric(name="b.histogram", histogram=Histogram(data_points=[point]))

    send(running, gauge, histogram)

    assert figures(running) == [("a.gauge", {}, 0.5, None), ("b.histogram", {}, 6.0, 3)]


def test_people_see_the_figures_as_text(running: Any) -> None:
    send(running, counter(5, status="<script>"))

    page = running.get("/metrics").text

    assert "app.orders.final" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_the_page_says_when_there_is_nothing_yet(running: Any) -> None:
    assert "No metric yet" in running.get("/metrics").text


def test_what_is_no_metric_is_refused_and_changes_nothing(running: Any) -> None:
    garbage = running.http.post(
        "/v1/metrics", data=b"\xff", content_type=PROTOBUF, base_url="http://localhost:4318"
    )
    as_json = send(running, counter(1), content_type="application/json")

    assert (garbage.status_code, as_json.status_code) == (400, 415)
    assert figures(running) == []


def test_the_number_of_series_is_bounded(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SERIES_MAX", 1)

    send(running, counter(1), counter(2, status="cancelled"))
    send(running, counter(7))

    assert [value for _, _, value, _ in figures(running)] == [7]
