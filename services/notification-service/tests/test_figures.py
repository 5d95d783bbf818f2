"""What is counted when mails are sent, given up, or wait."""

from typing import TYPE_CHECKING

import pytest
from common.db import Database
from notification import worker
from notification.clients import Mailer
from notification.worker import observe, send_due
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    DataPointT,
    InMemoryMetricReader,
    NumberDataPoint,
)
from structlog.testing import capture_logs

if TYPE_CHECKING:
    from conftest import FakeMailServer, News


class Figures:
    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader], shutdown_on_exit=False)

    def read(self) -> dict[tuple[str, str], float]:
        """(name, values of its attributes) -> value; of a histogram, how many were recorded."""
        data = self._reader.get_metrics_data()
        return {
            (metric.name, _attributes(point)): _value(point)
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name.startswith("app.mail")
            for point in metric.data.data_points
        }


def _attributes(point: DataPointT) -> str:
    return " ".join(sorted(map(str, (point.attributes or {}).values())))


def _value(point: DataPointT) -> float:
    if isinstance(point, NumberDataPoint):
        return float(point.value)
    return float(point.count)


@pytest.fixture(scope="module")
def figures() -> Figures:
    """One for the process: OpenTelemetry takes a provider once."""
    figures = Figures()
    metrics.set_meter_provider(figures.provider)
    return figures


@pytest.fixture
def gauges(monkeypatch: pytest.MonkeyPatch) -> Figures:
    """A test's own: of two gauges of one name a provider asks only the first."""
    gauges = Figures()
    monkeypatch.setattr(worker, "meter", gauges.provider.get_meter("cartwright"))
    return gauges


def test_a_mail_that_is_sent_is_counted_with_the_time_it_took(
    figures: Figures, db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    news.heard(news.refunded(), news.refunded())

    send_due(db, mailer)

    found = figures.read()
    assert found[("app.mails.sent", "refund")] == 2
    assert found[("app.mail.delivery_duration", "refund")] == 2


def test_a_mail_that_fails_is_counted_by_its_reason(
    figures: Figures, db: Database, news: "News"
) -> None:
    news.heard_unpromised(news.action_required(email="nobody"))

    assert figures.read()[("app.mails.failed", "action_required not_an_address")] == 1


def test_the_queue_is_observed(
    gauges: Figures, db: Database, news: "News", mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    observe(db)
    news.heard(news.confirmed(), news.confirmed())

    waiting = gauges.read()
    send_due(db, mailer)
    empty = gauges.read()

    assert waiting[("app.mails.queued", "")] == 2
    assert waiting[("app.mails.oldest_age", "")] > 0
    assert (empty[("app.mails.queued", "")], empty[("app.mails.oldest_age", "")]) == (0, 0)


def test_a_database_that_is_away_gives_no_figure(gauges: Figures) -> None:
    away = Database("postgresql+psycopg2://nobody@/nowhere?host=/nowhere")
    observe(away)

    with capture_logs() as logs:
        assert gauges.read() == {}

    assert {log["event"] for log in logs} == {"mails_not_observed"}
    away.engine.dispose()
