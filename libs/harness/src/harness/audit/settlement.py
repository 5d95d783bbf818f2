"""Waits until a shop is at rest: every order settled, nothing due, every outbox and queue empty."""

import time
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass

import psycopg2

from harness.audit.books import QueueDepth, patiently
from harness.process.endpoints import Endpoints
from harness.topology import messaging
from harness.topology.summary import SERVICES

POLL_S = 0.25
# At rest twice in a row: between a queue's deletion and an outbox's insertion lies a commit.
TIMES_AT_REST = 2

UNSETTLED_ORDERS = (
    'SELECT (SELECT count(*) FROM "order".orders WHERE NOT (stock_settled AND payment_settled))'
    ' + (SELECT count(*) FROM "order".returns WHERE next_nudge_at IS NOT NULL)'
)
UNPUBLISHED = " + ".join(
    f'(SELECT count(*) FROM "{service}".outbox WHERE published_at IS NULL)'  # noqa: S608  Constants.
    for service in SERVICES
)
DUE_OPERATIONS = "SELECT count(*) FROM payment.operations WHERE state = 'due'"
DUE_WEBHOOKS = "SELECT count(*) FROM payment.webhook_events WHERE state = 'due'"
QUEUED_MAILS = "SELECT count(*) FROM notification.messages WHERE state = 'queued'"


@dataclass(frozen=True, slots=True)
class Unrest:
    """What is still moving. Falsy when nothing is."""

    orders: int
    unpublished: int
    operations: int
    webhooks: int
    mails: int
    messages: int

    def __bool__(self) -> bool:
        return any(astuple(self))

    def __str__(self) -> str:
        parts = {
            "orders or returns not settled": self.orders,
            "events not published": self.unpublished,
            "payment operations due": self.operations,
            "webhooks due": self.webhooks,
            "mails queued": self.mails,
            "messages on queues": self.messages,
        }
        return ", ".join(f"{count} {what}" for what, count in parts.items() if count) or "at rest"


def unrest(endpoints: Endpoints) -> Unrest:
    connection = psycopg2.connect(endpoints.auditor_dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                f"SELECT ({UNSETTLED_ORDERS}), ({UNPUBLISHED}),"
                f" ({DUE_OPERATIONS}), ({DUE_WEBHOOKS}), ({QUEUED_MAILS})"
            )
            counts = cursor.fetchone()
            assert counts is not None
    finally:
        connection.close()
    orders, unpublished, operations, webhooks, mails = counts
    pending = sum(depth.pending for depth in queue_depths(endpoints).values())
    return Unrest(orders, unpublished, operations, webhooks, mails, pending)


def wait_until_settled(
    endpoints: Endpoints, within_s: float, report: Callable[[Unrest], None] = lambda _: None
) -> Unrest:
    """Poll until at rest or *within_s* is over; return what is left (falsy: settled).

    Raises BooksUnread: PostgreSQL or SQS stayed away.
    """
    give_up_at = time.monotonic() + within_s
    at_rest = 0
    while True:
        left = patiently("PostgreSQL or SQS", lambda: unrest(endpoints))
        report(left)
        at_rest = 0 if left else at_rest + 1
        if at_rest == TIMES_AT_REST or time.monotonic() > give_up_at:
            return left
        time.sleep(POLL_S)


def wait_for_webhooks(endpoints: Endpoints, within_s: float) -> None:
    """Until all that payment has taken in are dealt with, or *within_s* is over."""
    give_up_at = time.monotonic() + within_s
    while unrest(endpoints).webhooks and time.monotonic() < give_up_at:
        time.sleep(POLL_S)


def queue_depths(endpoints: Endpoints) -> Mapping[str, QueueDepth]:
    live = messaging.depths(endpoints.aws_endpoint_url, endpoints.queue_urls)
    dead = messaging.depths(endpoints.aws_endpoint_url, endpoints.dead_letter_queue_urls)
    return {
        name: QueueDepth(
            *(depth.visible, depth.in_flight, depth.delayed),
            # Whoever looks at dead letters hides them for a while.
            dead[name].visible + dead[name].in_flight,
        )
        for name, depth in live.items()
    }
