"""What of one flow still moves in the shop: rows to publish, work that is due, messages on queues.

Asked by trace id, so that scenarios in parallel do not wait for one another. `settling` asks the
same of the whole shop.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg2
import psycopg2.extensions

from harness.process.endpoints import Endpoints
from harness.topology import messaging
from harness.topology.summary import SERVICES

ASK_WITHIN_S = 5.0
# What an emulator shows of its queues without receiving; the second is LocalStack's.
PEEKS = ("/_ministack/sqs/messages", "/_aws/sqs/messages")
# In the envelope of an event, wherever it stands.
EVENT_TYPE = re.compile(r'"type": ?"([a-z_.]+)"')

OUTBOXES = " UNION ALL ".join(
    f"SELECT '{service} has yet to publish ' || event_type FROM \"{service}\".outbox"  # noqa: S608  Constants.
    " WHERE published_at IS NULL AND traceparent LIKE %(flow)s"
    for service in SERVICES
)
UNDER_WAY = f"""
{OUTBOXES}
UNION ALL SELECT 'payment has yet to ' || kind FROM payment.operations
 WHERE state = 'due' AND traceparent LIKE %(flow)s
UNION ALL SELECT 'notification has yet to send a mail' FROM notification.messages
 WHERE state = 'queued' AND traceparent LIKE %(flow)s
UNION ALL SELECT 'payment has yet to heed ' || w.type FROM payment.webhook_events w
  JOIN "order".orders o ON w.body LIKE '%%' || o.id || '%%'
 WHERE w.state = 'due' AND o.traceparent LIKE %(flow)s
UNION ALL SELECT 'order ' || id || ' is not settled' FROM "order".orders
 WHERE NOT (stock_settled AND payment_settled) AND traceparent LIKE %(flow)s
"""  # noqa: S608  Constants.
ORDERS = 'SELECT id::text FROM "order".orders WHERE traceparent LIKE %(flow)s'


@dataclass
class Stirring:
    """Asks a running shop of ours; keeps its connections. Close it, or use it with `with`."""

    endpoints: Endpoints
    _http: httpx.Client = field(init=False)
    _books: psycopg2.extensions.connection | None = field(default=None, init=False)
    _peek: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._http = httpx.Client(timeout=ASK_WITHIN_S)

    def close(self) -> None:
        self._http.close()
        if self._books:
            self._books.close()

    def __call__(self, trace_id: str) -> list[str]:
        """A line for each thing of this flow that is not at rest; empty when nothing moves.

        Raises psycopg2's and httpx's errors when whoever must be asked does not answer.
        """
        rows, orders = self._rows(trace_id)
        return rows or [*self._untold(orders), *self._queued(trace_id)]

    def _rows(self, trace_id: str) -> tuple[list[str], list[str]]:
        flow = {"flow": f"00-{trace_id}-%"}
        books = self._connected()
        with books, books.cursor() as cursor:  # A transaction, so that each look sees what is new.
            cursor.execute(UNDER_WAY, flow)
            rows = [str(row[0]) for row in cursor.fetchall()]
            cursor.execute(ORDERS, flow)
            return rows, [str(row[0]) for row in cursor.fetchall()]

    def _connected(self) -> psycopg2.extensions.connection:
        if self._books is None or self._books.closed:
            self._books = psycopg2.connect(self.endpoints.auditor_dsn)
        return self._books

    def _untold(self, orders: list[str]) -> Iterator[str]:
        """What the payment provider's simulator has yet to tell the shop."""
        for order in orders:
            url = f"{self.endpoints.payment_provider_url}/book/webhooks"
            page = self._http.get(url, params={"reference": order}).raise_for_status().json()
            for webhook in page["webhooks"]:
                if any(one["state"] == "pending" for one in webhook["deliveries"]):
                    yield f"the payment provider has yet to tell {webhook['type']}"

    def _queued(self, trace_id: str) -> list[str]:
        """Messages of this flow on queues, received ones included; buried ones are at rest."""
        if self._peek is None:
            self._peek = self._find_peek()
        if self._peek == PEEKS[0]:
            url = f"{self.endpoints.aws_endpoint_url}{self._peek}"
            queues = _ministack_queues(self._http.get(url).raise_for_status().json())
        elif self._peek == PEEKS[1]:
            queues = {name: self._localstack_queue(url) for name, url in self._live()}
        else:
            return self._depths()
        names = {name for name, _ in self._live()}
        return [
            f"{_type_of(message)} waits on {name}"
            for name, messages in queues.items()
            if name in names
            for message in messages
            if trace_id in message
        ]

    def _live(self) -> list[tuple[str, str]]:
        return [(url.rpartition("/")[2], url) for url in self.endpoints.queue_urls.values()]

    def _find_peek(self) -> str:
        for path in PEEKS:
            url = f"{self.endpoints.aws_endpoint_url}{path}"
            _, queue_url = self._live()[0]
            if self._http.get(url, params={"QueueUrl": queue_url}).is_success:
                return path
        return ""  # SQS itself shows nothing.

    def _localstack_queue(self, queue_url: str) -> list[str]:
        answer = self._http.get(
            f"{self.endpoints.aws_endpoint_url}{PEEKS[1]}",
            params={"QueueUrl": queue_url, "ShowInvisible": "true", "ShowDelayed": "true"},
        )
        return [answer.raise_for_status().text]

    def _depths(self) -> list[str]:
        """Of all flows: where messages cannot be looked at, every one may be ours."""
        depths = messaging.depths(self.endpoints.aws_endpoint_url, self.endpoints.queue_urls)
        return [
            f"{depth.total} messages on {name}" for name, depth in depths.items() if depth.total
        ]


def _type_of(message: str) -> str:
    found = EVENT_TYPE.search(message)
    return found.group(1) if found else "a message"


def _ministack_queues(answer: dict[str, Any]) -> dict[str, list[str]]:
    """Queue name -> its messages as text; accounts and regions do not matter here."""
    return {
        url.rpartition("/")[2]: [str(message) for message in messages]
        for regions in answer["messages"].values()
        for queues in regions.values()
        for url, messages in queues.items()
    }
