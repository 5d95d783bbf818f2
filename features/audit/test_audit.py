"""The audit on a real shop: a small run holds, and every planted fault is named.

The pure checkers are tested beside their source; here the books are read from running services.
"""

import smtplib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import boto3
import httpx
import psycopg2
import pytest
from harness.audit.books import Books, read_stock
from harness.audit.checkers import CHECKERS, audit
from harness.audit.reader import read_books
from harness.process.endpoints import Endpoints
from harness.shopper.history import Operation, Outcome
from harness.shopper.scenario_shop import ScenarioShop
from harness.traces import trace_archive
from harness.traces.causality import Trace
from harness.traces.conventions import EFFECT, EFFECT_APPLIED
from harness.traces.reader import TraceReader
from simulating import TOPOLOGY, simulate, violations
from simulators.checkout.mix import Persona
from simulators.checkout.results import Plan, Result
from simulators.checkout.run import ShopNotAtRest, expect_rest

# In one process, as all of this folder: one shop, and nobody else in it.
pytestmark = pytest.mark.xdist_group("audit")

# The seed deals every persona.
PLAN = Plan(journey="sample", baskets=25, speed=1e6, concurrency=8, seed=279, command="test")

Plant = Callable[[Endpoints, Books, str], AbstractContextManager[Books | None]]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run leaves what it saw."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def result(endpoints: Endpoints, shop: ScenarioShop, directory: Path) -> Result:
    """A small run; *shop* has set up tracing for this process."""
    assert shop.endpoints == endpoints
    return simulate(PLAN, shop, directory)


def read(endpoints: Endpoints, result: Result) -> Books:
    return read_books(endpoints, TOPOLOGY, result.checkouts, (), since=0.0)


def broken(books: Books) -> set[str]:
    return {finding.checker.name for finding in audit(books) if finding.violations}


def test_a_small_run_holds(result: Result) -> None:
    assert violations(result) == []
    assert result.holds
    assert result.baskets == PLAN.baskets
    assert result.by_persona.keys() == set(Persona)
    assert result.by_persona["returner"] == {"returned": 3}
    assert result.by_persona["challenged"] == {"confirmed": 1}
    assert result.by_persona["challenge_refuser"] == {"cancelled: payment_declined": 1}


def test_the_trace_of_every_checkout_is_kept_whole(
    endpoints: Endpoints, result: Result, directory: Path
) -> None:
    folder = directory / trace_archive.FOLDER

    with TraceReader(endpoints.trace_query_url) as store:
        for checkout in result.checkouts:
            entry = trace_archive.find(folder, checkout.trace_id)

            assert entry
            assert trace_archive.read(folder, entry) == store.fetch(checkout.trace_id)


def sql(there: str, back: str) -> Plant:
    """Spoil the tables as their owner could, and mend them again. {} is a confirmed order."""

    @contextmanager
    def plant(endpoints: Endpoints, _: Books, order_id: str) -> Iterator[None]:
        execute(endpoints, there.format(order_id))
        yield
        execute(endpoints, back.format(order_id))

    return plant


def execute(endpoints: Endpoints, statement: str) -> None:
    connection = psycopg2.connect(endpoints.postgres_dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            assert cursor.rowcount > 0, f"nothing was planted by {statement}"
    finally:
        connection.close()


@contextmanager
def dead_letter(endpoints: Endpoints, _: Books, __: str) -> Iterator[None]:
    sqs = boto3.client(
        "sqs", endpoint_url=endpoints.aws_endpoint_url, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",  # noqa: S106  The emulator's.
    )  # fmt: skip
    url = endpoints.dead_letter_queue_urls["order-inbox"]
    sqs.send_message(QueueUrl=url, MessageBody="planted")
    yield
    sqs.purge_queue(QueueUrl=url)


@contextmanager
def second_mail(endpoints: Endpoints, _: Books, order_id: str) -> Iterator[None]:
    """Mails cannot be unsent; the order has two from here on."""
    mail = EmailMessage()
    mail["To"], mail["From"] = "somebody@shoppers.example", "orders@cartwright.example"
    mail["X-Order-Id"], mail["X-Message-Kind"] = order_id, "order_confirmation"
    mail["Message-ID"] = f"<planted.{order_id}@cartwright.example>"
    mail.set_content("Once more.")
    with smtplib.SMTP(endpoints.smtp_host, endpoints.smtp_port, timeout=5) as smtp:
        smtp.send_message(mail)
    yield


@contextmanager
def lost_trace(_: Endpoints, books: Books, order_id: str) -> Iterator[Books]:
    traces = dict(books.traces)
    traces[next(c.trace_id for c in books.checkouts if c.order_id == order_id)] = None
    yield replace(books, traces=traces)


@contextmanager
def second_key(endpoints: Endpoints, books: Books, order_id: str) -> Iterator[None]:
    """What was asked cannot be unasked; the provider refuses it, and it has been asked.

    In the checkout's own trace: who counts the spans of this shop knows of no other.
    """
    (payment,) = books.provider_payments[order_id]
    trace = books.traces[next(c.trace_id for c in books.checkouts if c.order_id == order_id)]
    assert trace
    root = trace.roots[0]
    answer = httpx.post(
        f"{endpoints.payment_provider_url}/v1/payments/{payment['id']}/capture",
        json={"amount_minor": payment["amount_minor"]},
        headers={
            "Authorization": f"Bearer {endpoints.payment_provider_api_key}",
            "Idempotency-Key": "planted",
            "traceparent": f"00-{root.trace_id}-{root.span_id}-01",
        },
    )
    assert answer.is_client_error
    yield


@contextmanager
def applied_again(_: Endpoints, books: Books, order_id: str) -> Iterator[Books]:
    trace_id = next(c.trace_id for c in books.checkouts if c.order_id == order_id)
    trace = books.traces[trace_id]
    assert trace
    applied = trace.find(**{EFFECT: EFFECT_APPLIED})[0]
    twice = Trace((*trace.spans, replace(applied, span_id="1" * 16)))
    yield replace(books, traces={**books.traces, trace_id: twice})


@contextmanager
def taken_back(_: Endpoints, books: Books, order_id: str) -> Iterator[Books]:
    told = Operation("read_order", "ana", Outcome.OK, 1.0, 1.1, 200, order_id=order_id)
    looks = [
        replace(told, order_status="confirmed"),
        replace(told, order_status="pending", started_at=2.0, finished_at=2.1),
    ]
    yield replace(books, operations=looks)


PLANTED: dict[str, Plant] = {
    "one_final_outcome": sql(
        "UPDATE \"order\".orders SET stock_settled = false, next_nudge_at = 'infinity'"
        " WHERE id = '{}'",
        "UPDATE \"order\".orders SET stock_settled = true, next_nudge_at = NULL WHERE id = '{}'",
    ),
    "legal_history": sql(
        "UPDATE \"order\".order_history SET version = 99 WHERE order_id = '{}' AND version = 2",
        "UPDATE \"order\".order_history SET version = 2 WHERE order_id = '{}' AND version = 99",
    ),
    "price_integrity": sql(
        "UPDATE catalog.product_prices SET price_minor = price_minor + 1 WHERE sku ="
        " (SELECT min(sku) FROM \"order\".order_lines WHERE order_id = '{}')",
        "UPDATE catalog.product_prices SET price_minor = price_minor - 1 WHERE sku ="
        " (SELECT min(sku) FROM \"order\".order_lines WHERE order_id = '{}')",
    ),
    "stock_adds_up": sql(
        "UPDATE inventory.stock SET on_hand = on_hand + 1 WHERE sku ="
        " (SELECT min(sku) FROM \"order\".order_lines WHERE order_id = '{}')",
        "UPDATE inventory.stock SET on_hand = on_hand - 1 WHERE sku ="
        " (SELECT min(sku) FROM \"order\".order_lines WHERE order_id = '{}')",
    ),
    "reservation_follows_order": sql(
        "UPDATE inventory.reservations SET state = 'held' WHERE order_id = '{}'",
        "UPDATE inventory.reservations SET state = 'committed' WHERE order_id = '{}'",
    ),
    "money_matches": sql(
        "UPDATE payment.ledger_entries SET amount_minor = amount_minor + 1 WHERE account = 'sales'"
        " AND payment_id = (SELECT id FROM payment.payments WHERE order_id = '{}')",
        "UPDATE payment.ledger_entries SET amount_minor = amount_minor - 1 WHERE account = 'sales'"
        " AND payment_id = (SELECT id FROM payment.payments WHERE order_id = '{}')",
    ),
    "returns_settled": sql(
        "UPDATE \"order\".returns SET restocked = false, next_nudge_at = 'infinity'"
        " WHERE status = 'refunded'",
        'UPDATE "order".returns SET restocked = true, next_nudge_at = NULL'
        " WHERE next_nudge_at = 'infinity'",
    ),
    "cart_follows_order": sql(
        "UPDATE cart.carts SET lines = jsonb_build_array(jsonb_build_object('sku', 'MUG-1',"
        " 'quantity', 1)) WHERE customer_id ="
        " (SELECT customer_id FROM \"order\".orders WHERE id = '{}')",
        "UPDATE cart.carts SET lines = '[]' WHERE customer_id ="
        " (SELECT customer_id FROM \"order\".orders WHERE id = '{}')",
    ),
    "read_your_writes": taken_back,
    "effects_once": applied_again,
    "messages_settled": dead_letter,
    "one_mail_an_order": second_mail,
    "provider_asked_once": second_key,
    "traces_complete": lost_trace,
}


def test_every_invariant_has_a_fault_planted_here() -> None:
    assert PLANTED.keys() == {checker.name for checker in CHECKERS}


@pytest.mark.parametrize("invariant", PLANTED)
def test_a_fault_planted_in_the_running_shop_is_named(
    endpoints: Endpoints, result: Result, invariant: str
) -> None:
    before = read(endpoints, result)
    order_id = next(c.order_id for c in result.checkouts if c.outcome == "confirmed")
    assert order_id is not None

    with PLANTED[invariant](endpoints, before, order_id) as spoiled:
        after = spoiled or read(endpoints, result)

    assert invariant not in broken(before)
    assert invariant in broken(after)


def test_a_run_is_not_begun_where_stock_is_already_wrong_and_changes_nothing(
    endpoints: Endpoints, result: Result, shop: ScenarioShop, tmp_path: Path
) -> None:
    confirmed = next(c for c in result.checkouts if c.outcome == "confirmed")
    before = read_stock(endpoints.auditor_dsn)

    with (
        PLANTED["stock_adds_up"](endpoints, before, str(confirmed.order_id)),
        pytest.raises(ShopNotAtRest, match=f"stock of 1 goods .*: SKU {min(confirmed.lines)}$"),
    ):
        simulate(PLAN, shop, tmp_path)

    assert read_stock(endpoints.auditor_dsn) == before


def test_a_shop_that_was_used_and_holds_is_taken(endpoints: Endpoints, result: Result) -> None:
    expect_rest(endpoints)

    assert result.holds
