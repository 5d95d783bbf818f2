"""Three independent books of one run, read once and frozen for the checkers.

The services' tables (as the read-only auditor), the outside world's own books (payment
provider, mailbox, queues), and the shoppers' history. No service vouches for itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import psycopg2
import psycopg2.extras
from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from harness.shopper.history import Operation
from harness.topology.summary import SERVICES
from harness.traces.causality import Trace

Row = Mapping[str, Any]
T = TypeVar("T")

# Who keeps a book may have been killed, and is back within seconds.
BACK_WITHIN_S = 30.0
ASK_AGAIN_S = 0.5
AWAY = (psycopg2.OperationalError, httpx.HTTPError, BotoCoreError, ClientError)

ORDERS = """
SELECT id::text, customer_id, email, currency, subtotal_minor, shipping_minor, tax_minor,
       total_minor, refunded_minor, status, cancel_reason, stock_settled, payment_settled,
       extract(epoch FROM placed_at)::float8 AS placed_at, version, traceparent, client_token AS key
  FROM "order".orders
"""
TRACE_OF_ORDER = """
SELECT split_part(traceparent, '-', 2) FROM "order".orders WHERE id = %s::uuid
"""
ORDER_LINES = """
SELECT order_id::text, sku, quantity, unit_price_minor FROM "order".order_lines
"""
ORDER_HISTORY = """
SELECT order_id::text, version, status, event,
       extract(epoch FROM at)::float8 AS at FROM "order".order_history
 ORDER BY order_id, version
"""
RETURNS = """
SELECT id::text, order_id::text, status, amount_minor, restocked,
       received_at IS NOT NULL AS received,
       (SELECT json_object_agg(sku, quantity)
          FROM "order".return_lines WHERE return_id = id) AS lines
  FROM "order".returns
"""
REFUNDS = """
SELECT refund_id, order_id::text, return_id::text, amount_minor FROM "order".refunds
"""
PRICES = """
SELECT sku, price_minor, extract(epoch FROM valid_from)::float8 AS since
  FROM catalog.product_prices ORDER BY sku, position
"""
STOCK = "SELECT sku, on_hand, reserved FROM inventory.stock"
MOVEMENTS = """
SELECT sku, sum(delta_on_hand)::bigint AS on_hand, sum(delta_reserved)::bigint AS reserved
  FROM inventory.movements GROUP BY sku
"""
RESTOCKED = """
SELECT return_id::text, sku, sum(delta_on_hand)::bigint AS quantity
  FROM inventory.movements WHERE return_id IS NOT NULL GROUP BY return_id, sku
"""
CONFIRMED = """SELECT id::text, status FROM "order".orders WHERE status = 'confirmed'"""
RESERVATIONS = "SELECT order_id::text, state FROM inventory.reservations"
RESERVATION_LINES = "SELECT order_id::text, sku, quantity FROM inventory.reservation_lines"
PAYMENTS = "SELECT id::text, order_id::text, amount_minor, currency, status FROM payment.payments"
LEDGER = """
SELECT p.order_id::text, l.account, l.amount_minor, l.currency
  FROM payment.ledger_entries l JOIN payment.payments p ON p.id = l.payment_id
"""
CARTS = "SELECT customer_id, lines FROM cart.carts"
OUTBOX = """
SELECT event_id::text, event_type, subject, published_at IS NOT NULL AS published,
       extract(epoch FROM created_at)::float8 AS at
  FROM {schema}.outbox
"""
INBOX = "SELECT event_id::text, event_type FROM {schema}.inbox"


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Messages of one queue, as SQS counts them. dead: on its dead-letter queue."""

    visible: int
    in_flight: int
    delayed: int
    dead: int

    @property
    def pending(self) -> int:
        return self.visible + self.in_flight + self.delayed


@dataclass(frozen=True, slots=True)
class Checkout:
    """One try of a shopper to buy a basket, and what they know became of it.

    basket_id: a basket that was ordered twice makes two checkouts.
    outcome: ``confirmed``, ``cancelled``, ``refused``, ``abandoned`` (filled a cart and left), or
        ``unknown`` (no answer came).
    lines: sku -> quantity, as in the basket.
    customer_id: as the shop calls the shopper; None if that is not known.
    """

    basket_id: str
    shopper: str
    key: str
    lines: Mapping[str, int]
    trace_id: str
    started_at: float
    outcome: str
    order_id: str | None = None
    reason: str | None = None
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Restart:
    """A process of ours that ended unexpectedly.

    at: seconds since the epoch. signal: its name, ``SIGKILL``; None if the process ended itself.
    """

    process: str
    at: float
    signal: str | None

    def __str__(self) -> str:
        return f"{self.process} ({self.signal or 'ended itself'})"


@dataclass(frozen=True)
class Books:
    """Everything the checkers look at. Rows are mappings with the column names above."""

    checkouts: Sequence[Checkout] = ()
    operations: Sequence[Operation] = ()
    orders: Mapping[str, Row] = field(default_factory=dict)
    order_lines: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    order_history: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    returns: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by order id
    restocked: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by return id
    refunds: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by order id
    prices: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by SKU, oldest first
    stock: Mapping[str, Row] = field(default_factory=dict)
    movements: Mapping[str, Row] = field(default_factory=dict)
    reservations: Mapping[str, str] = field(default_factory=dict)  # order id -> state
    reservation_lines: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    payments: Mapping[str, Row] = field(default_factory=dict)  # by order id
    ledger: Sequence[Row] = ()
    provider_payments: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by reference
    mails: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by order id
    provider_calls: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by reference
    carts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # customer -> SKU -> n
    outboxes: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by service
    inboxes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # service -> id -> type
    consumers: Mapping[str, frozenset[str]] = field(default_factory=dict)  # type -> services
    queues: Mapping[str, QueueDepth] = field(default_factory=dict)
    traces: Mapping[str, Trace | None] = field(default_factory=dict)  # by trace id
    traces_unread: str = ""  # Why the trace store could not be read; then no trace is judged.
    restarts: Sequence[Restart] = ()
    planted_loss: frozenset[str] = frozenset()  # Ids of events that were lost on purpose.
    # Whether the traces hold, by name, what killed processes took with them: see `span_ledger`.
    traces_have_lost: bool = False

    def trace_id_of(self, order_id: str) -> str | None:
        """The trace in which the order was placed (W3C traceparent, second field)."""
        traceparent = self.orders.get(order_id, {}).get("traceparent")
        return str(traceparent).split("-")[1] if traceparent else None


@dataclass(frozen=True, slots=True)
class Tables:
    """What one read of the services' tables gives; see `Books` for the shapes."""

    orders: Mapping[str, Row]
    order_lines: Mapping[str, Sequence[Row]]
    order_history: Mapping[str, Sequence[Row]]
    returns: Mapping[str, Sequence[Row]]
    restocked: Mapping[str, Sequence[Row]]
    refunds: Mapping[str, Sequence[Row]]
    prices: Mapping[str, Sequence[Row]]
    stock: Mapping[str, Row]
    movements: Mapping[str, Row]
    reservations: Mapping[str, str]
    reservation_lines: Mapping[str, Sequence[Row]]
    payments: Mapping[str, Row]
    ledger: Sequence[Row]
    carts: Mapping[str, Mapping[str, int]]
    outboxes: Mapping[str, Sequence[Row]]
    inboxes: Mapping[str, Mapping[str, str]]


class BooksUnread(Exception):
    """A book stayed closed, so nothing can be judged. The message says which, and how."""


def patiently(book: str, read: Callable[[], T]) -> T:
    """What *read* gives, asked again for a while. Raises BooksUnread if *book* stays closed."""
    repeating: Retrying = Retrying(
        retry=retry_if_exception_type(AWAY),
        stop=stop_after_delay(BACK_WITHIN_S),
        wait=wait_fixed(ASK_AGAIN_S),
        reraise=True,
    )
    try:
        return repeating(read)
    except AWAY as error:
        said = " ".join(str(error).split())
        raise BooksUnread(f"{book} could not be read: {type(error).__name__}: {said}") from error


@contextmanager
def _snapshot(auditor_dsn: str) -> Iterator[Callable[[str], list[Row]]]:
    """Asks for rows in one snapshot (REPEATABLE READ), so that tables agree with one another."""
    with closing(psycopg2.connect(auditor_dsn)) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)

        def rows(statement: str) -> list[Row]:
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall())

        yield rows


def read_stock(auditor_dsn: str) -> Books:
    """Only what `stock_adds_up` looks at: a small part of the tables of a shop long in use."""
    with _snapshot(auditor_dsn) as rows:
        return Books(
            orders={row["id"]: row for row in rows(CONFIRMED)},
            order_lines=grouped(rows(ORDER_LINES), "order_id"),
            stock={row["sku"]: row for row in rows(STOCK)},
            movements={row["sku"]: row for row in rows(MOVEMENTS)},
            reservations={row["order_id"]: row["state"] for row in rows(RESERVATIONS)},
            reservation_lines=grouped(rows(RESERVATION_LINES), "order_id"),
        )


def read_tables(auditor_dsn: str) -> Tables:
    """All tables, in one snapshot."""
    with _snapshot(auditor_dsn) as rows:
        return Tables(
            orders={row["id"]: row for row in rows(ORDERS)},
            order_lines=grouped(rows(ORDER_LINES), "order_id"),
            order_history=grouped(rows(ORDER_HISTORY), "order_id"),
            returns=grouped(rows(RETURNS), "order_id"),
            restocked=grouped(rows(RESTOCKED), "return_id"),
            refunds=grouped(rows(REFUNDS), "order_id"),
            prices=grouped(rows(PRICES), "sku"),
            stock={row["sku"]: row for row in rows(STOCK)},
            movements={row["sku"]: row for row in rows(MOVEMENTS)},
            reservations={row["order_id"]: row["state"] for row in rows(RESERVATIONS)},
            reservation_lines=grouped(rows(RESERVATION_LINES), "order_id"),
            payments={row["order_id"]: row for row in rows(PAYMENTS)},
            ledger=rows(LEDGER),
            carts={
                row["customer_id"]: {line["sku"]: line["quantity"] for line in row["lines"]}
                for row in rows(CARTS)
            },
            outboxes={s: rows(OUTBOX.format(schema=f'"{s}"')) for s in SERVICES},
            inboxes={
                s: {r["event_id"]: r["event_type"] for r in rows(INBOX.format(schema=f'"{s}"'))}
                for s in SERVICES
            },
        )


def read_trace_id(auditor_dsn: str, order_id: str) -> str | None:
    """The trace in which the order was placed; None if there is no such order. order_id: a UUID."""
    with closing(psycopg2.connect(auditor_dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(TRACE_OF_ORDER, (order_id,))
        row = cursor.fetchone()
    return row[0] if row else None


def grouped(rows: Sequence[Row], column: str) -> dict[str, list[Row]]:
    """By what stands in *column*."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    return groups
