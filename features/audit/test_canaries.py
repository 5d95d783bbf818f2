"""After all that a careless shopper did, nobody has written down what is nobody's business.

The search is proven: what is planted in each place is found there.
"""

import shutil
import smtplib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from pathlib import Path

import httpx
import psycopg2
import pytest
import redis
from audit.careless import Careless
from audit.tap import tapped
from harness.audit import output, settlement
from harness.audit.canaries import Canary, Passage, search
from harness.eventually import eventually
from harness.process.endpoints import Endpoints
from harness.providers.choice import Capability
from harness.shopper.scenario_shop import ScenarioShop
from harness.topology import messaging
from one_shop import need
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

# In one process, as all of this folder: one shop, and nobody else in it.
pytestmark = pytest.mark.xdist_group("audit")

SETTLED_WITHIN_S = 60.0
# Spans leave a process five times a second.
EXPORTED_WITHIN_S = 10.0
# Figures leave it every ten seconds.
FIGURES_WITHIN_S = 25.0


@dataclass(frozen=True)
class Aftermath:
    careless: Careless
    events: list[Passage]
    endpoints: Endpoints
    shop: ScenarioShop
    logs: Path
    # Traces that a test planted: whoever counts all spans, in whatever order, has to know them.
    planted: set[str] = field(default_factory=set)

    def passages(self) -> Iterator[Passage]:
        """Everything that is there now; events and answers as they were heard."""
        yield from output.logs(self.logs)
        yield from self.spans()
        yield from output.figures(self.endpoints.trace_query_url)
        yield from output.mails(self.endpoints.mailbox_url)
        yield from output.dead_letters(self.endpoints)
        yield from output.tables(self.endpoints.auditor_dsn)
        yield from output.copies(self.endpoints.redis_url)
        yield from self.careless.answers
        yield from self.events

    def spans(self) -> Iterator[Passage]:
        ids = output.trace_ids(output.logs(self.logs))
        ids |= {o.trace_id for o in self.shop.history.operations() if o.trace_id} | self.planted
        yield from output.span_texts(output.spans(self.shop.traces, ids))


@pytest.fixture(scope="module")
def aftermath(
    pytestconfig: pytest.Config, endpoints: Endpoints, shop: ScenarioShop
) -> Iterator[Aftermath]:
    need(pytestconfig, Capability.FIGURES)
    careless, logs = Careless(shop), Path(endpoints.home) / "logs"
    with tapped(endpoints) as tap:
        careless.do_everything(shop.sell("canary", 1999, 50))
        left = settlement.wait_until_settled(endpoints, SETTLED_WITHIN_S)
        assert not left, left
        await_figures(endpoints)
        yield Aftermath(careless, list(tap.passages()), endpoints, shop, logs)
    careless.tidy_up()


def await_figures(endpoints: Endpoints) -> None:
    """Until every process has told its figures of what was done before now."""
    done_ns = time.time_ns()
    url = f"{endpoints.trace_query_url}/api/metrics"

    def told() -> bool:
        latest: dict[str, int] = {}
        for series in httpx.get(url).raise_for_status().json()["metrics"]:
            at = int(series["at_unix_nano"])
            latest[series["instance"]] = max(at, latest.get(series["instance"], 0))
        return bool(latest) and min(latest.values()) > done_ns

    eventually(told, FIGURES_WITHIN_S, "figures of all processes")


def test_no_secret_is_written_down(aftermath: Aftermath) -> None:
    searched = search(aftermath.careless.canaries(), aftermath.passages())

    for kind, count in sorted(searched.passages.items()):
        print(f"{kind}: {count} passages, {searched.characters[kind]} characters")  # noqa: T201
    assert sorted(map(str, searched.leaks)) == []


def test_everything_was_looked_through(aftermath: Aftermath) -> None:
    """Else nothing found would mean nothing. Spans of whoever was there before may still come."""
    address = Canary("address", aftermath.careless.email)
    searched = search([address], aftermath.passages())
    stored = httpx.get(f"{aftermath.endpoints.trace_query_url}/stats").raise_for_status().json()
    spans = {passage.where.split()[1] for passage in aftermath.spans()}
    files = {file.stem for file in output.log_files(aftermath.logs)}

    seen = {leak.kind for leak in searched.leaks}
    assert seen >= {"mail", "table of order", "event of auth-events", "event of order-events"}
    assert set(aftermath.endpoints.pids) <= files
    assert len(spans) >= stored["spans"] > 0


Plant = Callable[[Aftermath, str], Iterable[Passage]]


def in_log(aftermath: Aftermath, secret: str) -> Iterable[Passage]:
    copy = aftermath.logs.parent / f"logs-{uuid.uuid4().hex}"
    shutil.copytree(aftermath.logs, copy)
    with (copy / "order-web.log").open("a") as log:
        log.write(f'{{"event":"signed_in","password":"{secret}"}}\n')
    return replace(aftermath, logs=copy).passages()


def in_span(aftermath: Aftermath, secret: str) -> Iterable[Passage]:
    """As a service sends them: by OTLP, to the store."""
    with aftermath.shop.shopper("planter").checkout(note=secret) as trace_id:
        aftermath.planted.add(trace_id)
    trace.get_tracer_provider().force_flush()  # type: ignore[attr-defined]
    reader = aftermath.shop.traces
    eventually(lambda: reader.fetch(trace_id), EXPORTED_WITHIN_S, "the span")
    return output.span_texts(output.spans(reader, [trace_id]))


def in_mail(aftermath: Aftermath, secret: str) -> Iterable[Passage]:
    mail = EmailMessage()
    mail["To"], mail["From"] = "planter@shoppers.example", "orders@cartwright.example"
    mail.set_content(f"Your card {secret} was charged.", cte="base64")
    endpoints = aftermath.endpoints
    with smtplib.SMTP(endpoints.smtp_host, endpoints.smtp_port, timeout=5) as smtp:
        smtp.send_message(mail)
    return output.mails(endpoints.mailbox_url)


def in_dead_letter(aftermath: Aftermath, secret: str) -> Iterable[Passage]:
    endpoints = aftermath.endpoints
    messaging.sqs(endpoints.aws_endpoint_url).send_message(
        QueueUrl=endpoints.dead_letter_queue_urls["order-inbox"],
        MessageBody="{}",
        MessageAttributes={
            "dead_letter_reason": {"DataType": "String", "StringValue": f"{secret} is no UUID"}
        },
    )
    return output.dead_letters(endpoints)


def in_table(aftermath: Aftermath, secret: str) -> Iterable[Passage]:
    connection = psycopg2.connect(aftermath.endpoints.postgres_dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE auth.planted AS SELECT %s AS password", (secret,))
            cursor.execute("GRANT SELECT ON auth.planted TO cartwright_auditor")
        found = list(output.tables(aftermath.endpoints.auditor_dsn))
        with connection, connection.cursor() as cursor:
            cursor.execute("DROP TABLE auth.planted")
    finally:
        connection.close()
    return found


def in_redis(aftermath: Aftermath, secret: str) -> Iterable[Passage]:
    with redis.Redis.from_url(aftermath.endpoints.redis_url) as client:
        client.hset("planted", "token", secret)
        found = list(output.copies(aftermath.endpoints.redis_url))
        client.delete("planted")
    return found


def in_figure(aftermath: Aftermath, secret: str) -> Iterable[Passage]:
    exporter = OTLPMetricExporter(endpoint=f"{aftermath.endpoints.otlp_url}/v1/metrics")
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], shutdown_on_exit=False)
    provider.get_meter("planter").create_counter("planted").add(1, {"email": secret})
    provider.shutdown()
    return output.figures(aftermath.endpoints.trace_query_url)


def in_answer(_: Aftermath, secret: str) -> Iterable[Passage]:
    return [Passage("error", "order POST /orders", f'{{"detail": "{secret} is no token"}}')]


PLANTS: dict[str, Plant] = {
    "log": in_log,
    "span": in_span,
    "metric": in_figure,
    "mail": in_mail,
    "dead letter's reason": in_dead_letter,
    "table of auth": in_table,
    "redis": in_redis,
    "error": in_answer,
}


@pytest.mark.parametrize("kind", PLANTS)
def test_a_secret_planted_there_is_found(aftermath: Aftermath, kind: str) -> None:
    planted = Canary("planted", f"planted-{uuid.uuid4().hex}")

    found = search([planted], PLANTS[kind](aftermath, planted.secret))

    assert {leak.kind for leak in found.leaks} == {kind}
