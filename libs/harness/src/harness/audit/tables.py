"""Reads the services' tables, as the read-only auditor and in one snapshot."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg2
import psycopg2.extras

from harness.audit.books import Books, Row, grouped
from harness.topology.summary import SERVICES

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
# After each movement, in their order: the SKU's row is locked for each.
BALANCES = """
SELECT sku, occurred_at, sum(delta_on_hand - delta_reserved) OVER so_far AS free,
       sum(delta_reserved) OVER so_far AS reserved,
       lag(occurred_at) OVER so_far IS NULL AS is_first, lead(occurred_at) OVER so_far AS ended_at
  FROM inventory.movements WINDOW so_far AS (PARTITION BY sku ORDER BY id)
"""
# What each SKU ever came down to.
LOWEST = f"""
SELECT sku, min(free)::bigint AS free, min(reserved)::bigint AS reserved
  FROM ({BALANCES}) AS balances GROUP BY sku
"""  # noqa: S608  Constants.
# What a rejected order missed, and the least that there was of it meanwhile; nothing before the
# first came in. A movement counts from its transaction's start, which takes ten seconds at most.
MISSING = f"""
SELECT r.order_id::text, line.sku, line.requested,
       coalesce(min(CASE WHEN b.is_first AND b.occurred_at > o.placed_at - interval '10 s'
                         THEN least(b.free, 0) ELSE b.free END), 0)::bigint AS free
  FROM inventory.reservations r JOIN "order".orders o ON o.id = r.order_id
 CROSS JOIN jsonb_to_recordset(r.missing) AS line(sku text, requested bigint)
  LEFT JOIN ({BALANCES}) AS b
    ON b.sku = line.sku AND b.occurred_at <= r.created_at + interval '10 s'
   AND (b.ended_at IS NULL OR b.ended_at >= o.placed_at - interval '10 s')
 GROUP BY r.order_id, line.sku, line.requested
"""  # noqa: S608  Constants.
MOVED = """
SELECT order_id::text, sku, (-sum(delta_on_hand))::bigint AS taken,
       sum(greatest(delta_reserved, 0))::bigint AS promised,
       sum(delta_reserved)::bigint AS reserved
  FROM inventory.movements WHERE order_id IS NOT NULL GROUP BY order_id, sku
"""
CONFIRMED = """SELECT id::text, status FROM "order".orders WHERE status = 'confirmed'"""
RESERVATIONS = "SELECT order_id::text, state FROM inventory.reservations"
RESERVATION_LINES = "SELECT order_id::text, sku, quantity FROM inventory.reservation_lines"
PAYMENTS = "SELECT id::text, order_id::text, amount_minor, currency, status FROM payment.payments"
ASKED = """
SELECT o.id::text, p.order_id::text, o.kind
  FROM payment.operations o JOIN payment.payments p ON p.id = o.payment_id
"""
LEDGER = """
SELECT p.order_id::text, l.account, l.amount_minor, l.currency, l.refund_id::text
  FROM payment.ledger_entries l JOIN payment.payments p ON p.id = l.payment_id
"""
WEBHOOKS = "SELECT id, type, state, last_error FROM payment.webhook_events"
# Of the key that placed an order; other keys of the same table answer for returns.
ANSWERS = """
SELECT subject, key, status, substring(location FROM '^/orders/([^/]+)$') AS order_id
  FROM "order".idempotency_keys WHERE location !~ '/returns' OR location IS NULL
"""
CARTS = "SELECT customer_id, lines FROM cart.carts"
OUTBOX = """
SELECT event_id::text, event_type, subject, published_at IS NOT NULL AS published,
       extract(epoch FROM published_at)::float8 AS published_at,
       encode(sha256(convert_to(body, 'UTF8')), 'hex') AS digest,
       extract(epoch FROM created_at)::float8 AS at
  FROM {schema}.outbox
"""
INBOX = "SELECT event_id::text, event_type FROM {schema}.inbox"


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


def read_tables(auditor_dsn: str) -> Books:
    """All of the services' tables, in one snapshot; the other books are empty."""
    with _snapshot(auditor_dsn) as rows:
        return Books(
            orders={row["id"]: row for row in rows(ORDERS)},
            order_lines=grouped(rows(ORDER_LINES), "order_id"),
            order_history=grouped(rows(ORDER_HISTORY), "order_id"),
            returns=grouped(rows(RETURNS), "order_id"),
            restocked=grouped(rows(RESTOCKED), "return_id"),
            refunds=grouped(rows(REFUNDS), "order_id"),
            prices=grouped(rows(PRICES), "sku"),
            stock={row["sku"]: row for row in rows(STOCK)},
            movements={row["sku"]: row for row in rows(MOVEMENTS)},
            lowest={row["sku"]: row for row in rows(LOWEST)},
            moved=grouped(rows(MOVED), "order_id"),
            reservations={row["order_id"]: row["state"] for row in rows(RESERVATIONS)},
            missing=grouped(rows(MISSING), "order_id"),
            reservation_lines=grouped(rows(RESERVATION_LINES), "order_id"),
            payments={row["order_id"]: row for row in rows(PAYMENTS)},
            asked=grouped(rows(ASKED), "order_id"),
            ledger=rows(LEDGER),
            webhooks={row["id"]: row for row in rows(WEBHOOKS)},
            answers=rows(ANSWERS),
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
