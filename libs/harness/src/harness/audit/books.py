"""Three independent books of one run, read once and frozen for the checkers.

The services' tables (as the read-only auditor), the outside world's own books (payment
provider, mailbox, queues), and the shoppers' history. No service vouches for itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import psycopg2
from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from harness.shopper.history import Operation
from harness.traces.causality import Trace

Row = Mapping[str, Any]
T = TypeVar("T")

# Who keeps a book may have been killed, and is back within seconds.
BACK_WITHIN_S = 30.0
ASK_AGAIN_S = 0.5
AWAY = (psycopg2.OperationalError, httpx.HTTPError, BotoCoreError, ClientError)


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


# What a shopper says who heard nothing of how it ended.
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Checkout:
    """One try of a shopper to buy a basket, and what they know became of it.

    basket_id: a basket that was ordered twice makes two checkouts.
    outcome: ``confirmed``, ``cancelled``, ``refused``, ``abandoned`` (filled a cart and left), or
        `UNKNOWN`.
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


@dataclass(frozen=True, slots=True)
class Publishes:
    """The messages that SNS itself noted that it took: all from *since* on, and until *until*, in
    seconds since the epoch. digest: SHA-256 of the text, in hexadecimal.
    """

    since: float
    until: float
    rows: Sequence[Row]


@dataclass(frozen=True)
class Books:
    """Everything the checkers look at. Rows are mappings with the column names of `tables`."""

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
    lowest: Mapping[str, Row] = field(default_factory=dict)  # by SKU, what it came down to
    moved: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by order id
    reservations: Mapping[str, str] = field(default_factory=dict)  # order id -> state
    missing: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by rejected order's id
    reservation_lines: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    payments: Mapping[str, Row] = field(default_factory=dict)  # by order id
    asked: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # of the provider, by order id
    ledger: Sequence[Row] = ()
    webhooks: Mapping[str, Row] = field(default_factory=dict)  # that payment took in, by id
    answers: Sequence[Row] = ()  # to keys that orders were placed with
    provider_payments: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by reference
    mails: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by order id
    provider_calls: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by reference
    provider_facts: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by reference
    provider_webhooks: Sequence[Row] = ()
    carts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # customer -> SKU -> n
    outboxes: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # by service
    publishes: Publishes | None = None  # None where nobody notes them, or they cannot be read.
    inboxes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # service -> id -> type
    consumers: Mapping[str, frozenset[str]] = field(default_factory=dict)  # type -> services
    queues: Mapping[str, QueueDepth] = field(default_factory=dict)
    traces: Mapping[str, Trace | None] = field(default_factory=dict)  # by trace id
    traces_unread: str = ""  # Why the trace store could not be read; then no trace is judged.
    restarts: Sequence[Restart] = ()
    planted_loss: frozenset[str] = frozenset()  # Ids of events that were lost on purpose.
    # Whether the traces hold, by name, what killed processes took with them: see `span_ledger`.
    traces_have_lost: bool = False

    def kept_since(self, kept_for_s: float) -> float:
        """From when on there is still what a shop keeps so long, counted back from its latest
        order, in seconds since the epoch.
        """
        return max((o["placed_at"] for o in self.orders.values()), default=0.0) - kept_for_s

    def trace_id_of(self, order_id: str) -> str | None:
        """The trace in which the order was placed (W3C traceparent, second field)."""
        traceparent = self.orders.get(order_id, {}).get("traceparent")
        return str(traceparent).split("-")[1] if traceparent else None


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


def grouped(rows: Sequence[Row], column: str) -> dict[str, list[Row]]:
    """By what stands in *column*."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    return groups
