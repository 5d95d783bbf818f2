"""OpenTelemetry metrics: one meter, and the instruments that every process has.

Names follow the semantic conventions where there is one; ours begin with `app.`. Attributes are
of few values: a metric with an order's id in it would be a log.
"""

import os
from collections.abc import Iterable
from typing import Any

import structlog
from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from sqlalchemy import Engine, Row, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

log = structlog.get_logger()

# A proxy: instruments made from it before `install` work after it.
meter = metrics.get_meter("cartwright")


def install(resource: Resource) -> None:
    """Export this process's metrics by OTLP over HTTP, if an endpoint is configured.

    Call once, after any fork: the reader has a thread. Interval and endpoint are OpenTelemetry's
    own variables, OTEL_METRIC_EXPORT_INTERVAL and OTEL_EXPORTER_OTLP_METRICS_ENDPOINT.
    """
    if not os.environ.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"):
        return
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    metrics.set_meter_provider(MeterProvider([reader], resource, shutdown_on_exit=True))


def flush(timeout_ms: int = 2_000) -> None:
    """Send what was counted since the last export, before the process ends."""
    provider = metrics.get_meter_provider()
    if isinstance(provider, MeterProvider):
        provider.force_flush(timeout_ms)


def observe_pool(engine: Engine) -> None:
    """`db.client.connection.count` of *engine*, by state, whenever metrics are exported."""

    def count(_: CallbackOptions) -> Iterable[Observation]:
        pool = engine.pool
        if isinstance(pool, QueuePool):
            yield Observation(pool.checkedout(), {"db.client.connection.state": "used"})
            yield Observation(pool.checkedin(), {"db.client.connection.state": "idle"})

    meter.create_observable_up_down_counter(
        "db.client.connection.count", [count], unit="{connection}"
    )


def observe_outbox(engine: Engine) -> None:
    """How many events wait to be sent, and for how long the oldest: the first sign of a jam."""

    def ask() -> Row[Any] | None:
        statement = text(
            "SELECT count(*) AS waiting, coalesce(extract(epoch FROM now() - min(created_at)), 0)"
            " AS oldest_s FROM outbox WHERE published_at IS NULL"
        )
        try:
            with engine.connect() as connection:
                return connection.execute(statement).one()
        except SQLAlchemyError as error:  # No figure is the truth when the database is away.
            log.info("outbox_not_observed", error=type(error).__name__)
            return None

    def waiting(_: CallbackOptions) -> Iterable[Observation]:
        row = ask()
        return [Observation(row.waiting)] if row else []

    def oldest(_: CallbackOptions) -> Iterable[Observation]:
        row = ask()
        return [Observation(float(row.oldest_s))] if row else []

    meter.create_observable_gauge("app.outbox.waiting", [waiting], unit="{event}")
    meter.create_observable_gauge("app.outbox.oldest_age", [oldest], unit="s")
