"""What is planted in a running shop, or in the books read of it, for the audit to name.

Each plant is a context: the fault is there inside, and is mended, where it can be, at its end.
"""

import smtplib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from email.message import EmailMessage

import boto3
import httpx
import psycopg2
from harness.audit.books import Books
from harness.process.endpoints import Endpoints
from harness.shopper.history import ATTEMPT, Operation, Outcome
from harness.traces.causality import Trace
from harness.traces.conventions import EFFECT, EFFECT_APPLIED

# Given the id of a confirmed order; yields the books if they are what it has spoiled.
Plant = Callable[[Endpoints, Books, str], AbstractContextManager[Books | None]]


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


@contextmanager
def another_sum(_: Endpoints, books: Books, order_id: str) -> Iterator[Books]:
    first, *more = books.mails[order_id]
    sums = [(minor + 1, currency) for minor, currency in first["sums"]]
    yield replace(books, mails={**books.mails, order_id: [{**first, "sums": sums}, *more]})


@contextmanager
def let_in(_: Endpoints, books: Books, __: str) -> Iterator[Books]:
    tried = Operation(ATTEMPT, "bot", Outcome.OK, 1.0, 1.1, 200, detail="read another's order")
    yield replace(books, operations=[*books.operations, tried])


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
    "ended_for_a_reason": sql(
        "UPDATE payment.outbox SET subject = 'planted'"
        " WHERE subject = '{}' AND event_type = 'payment.authorized'",
        "UPDATE payment.outbox SET subject = '{}' WHERE subject = 'planted'",
    ),
    "answers_kept": sql(
        "UPDATE \"order\".idempotency_keys SET location = '/orders/planted'"
        " WHERE location = '/orders/{}'",
        "UPDATE \"order\".idempotency_keys SET location = '/orders/{}'"
        " WHERE location = '/orders/planted'",
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
    "stock_in_sequence": sql(
        "UPDATE inventory.movements SET delta_on_hand = delta_on_hand - 1, note = 'planted'"
        " WHERE order_id = '{}' AND reason = 'commit'",
        "UPDATE inventory.movements SET delta_on_hand = delta_on_hand + 1, note = NULL"
        " WHERE order_id = '{}' AND note = 'planted'",
    ),
    "reservation_follows_order": sql(
        "UPDATE inventory.reservations SET state = 'held' WHERE order_id = '{}'",
        "UPDATE inventory.reservations SET state = 'committed' WHERE order_id = '{}'",
    ),
    "money_matches": sql(
        "UPDATE payment.ledger_entries SET amount_minor = amount_minor + 1 WHERE account ="
        " 'provider_receivable'"
        " AND payment_id = (SELECT id FROM payment.payments WHERE order_id = '{}')",
        "UPDATE payment.ledger_entries SET amount_minor = amount_minor - 1 WHERE account ="
        " 'provider_receivable'"
        " AND payment_id = (SELECT id FROM payment.payments WHERE order_id = '{}')",
    ),
    "ledger_in_pairs": sql(
        "UPDATE payment.payments SET status = 'authorized' WHERE order_id = '{}'",
        "UPDATE payment.payments SET status = 'captured' WHERE order_id = '{}'",
    ),
    "webhooks_kept": sql(
        "UPDATE payment.webhook_events SET state = 'due', next_attempt_at = 'infinity'"
        " WHERE type = 'payment.captured' AND body LIKE '%{}%'",
        "UPDATE payment.webhook_events SET state = 'done' WHERE next_attempt_at = 'infinity'",
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
    "hostile_refused": let_in,
    "mails_name_sums": another_sum,
    "published_as_written": sql(
        "UPDATE \"order\".outbox SET body = body || ' '"
        " WHERE subject = '{}' AND event_type = 'order.confirmed'",
        'UPDATE "order".outbox SET body = rtrim(body)'
        " WHERE subject = '{}' AND event_type = 'order.confirmed'",
    ),
    "one_mail_an_order": second_mail,
    "provider_asked_once": second_key,
    "traces_complete": lost_trace,
}
