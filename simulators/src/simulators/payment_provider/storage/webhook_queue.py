"""The queue of webhooks in the book: what is to be told, when, and how each attempt went.

Written in the transaction of the fact it tells, so that no kill comes between. Sends nothing.
"""

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from simulators.payment_provider import clock
from simulators.payment_provider.rules import webhooks


@dataclass(frozen=True)
class Webhook:
    """What became true, as it is to be told."""

    id: str
    type: str
    payment_id: str
    reference: str
    created_at: str
    traceparent: str | None
    body: bytes


@dataclass(frozen=True)
class Delivery:
    """One time that a webhook is to be told, and how often that failed."""

    seq: int
    webhook: Webhook
    attempts: int
    give_up_ms: int


@dataclass(frozen=True)
class Attempt:
    """status: what the shop answered; None when it did not, and `error` says why."""

    at: str
    duration_ms: int
    status: int | None
    error: str | None

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Plan:
    """When a webhook's deliveries fall due, and for how long each is tried."""

    due_ms: Sequence[int]
    retry_for_ms: int


COLUMNS = "id, type, payment_id, reference, created_at, traceparent, body"


def add(tx: sqlite3.Connection, webhook: Webhook, plan: Plan) -> None:
    tx.execute(
        f"INSERT INTO webhooks ({COLUMNS}) VALUES"  # noqa: S608 - constants only
        " (:id, :type, :payment_id, :reference, :created_at, :traceparent, :body)",
        vars(webhook),
    )
    plan_deliveries(tx, webhook.id, plan)


def plan_deliveries(tx: sqlite3.Connection, webhook_id: str, plan: Plan) -> None:
    """Tell it (once more); held back if webhooks of its reference are."""
    tx.executemany(
        "INSERT INTO deliveries (webhook_seq, reference, state, due_ms, give_up_ms)"
        " SELECT seq, reference, CASE WHEN reference IN (SELECT reference FROM holds)"
        " THEN 'held' ELSE 'pending' END, ?, ? FROM webhooks WHERE id = ?",
        [(due_ms, due_ms + plan.retry_for_ms, webhook_id) for due_ms in plan.due_ms],
    )


def count_of(tx: sqlite3.Connection, payment_id: str) -> int:
    """How many webhooks the payment has."""
    found = tx.execute("SELECT count(*) FROM webhooks WHERE payment_id = ?", (payment_id,))
    return int(found.fetchone()[0])


def first_traceparent(tx: sqlite3.Connection, payment_id: str) -> str | None:
    """The trace in which the payment was made, for what happens to it outside of any."""
    found = tx.execute(
        "SELECT traceparent FROM webhooks WHERE payment_id = ? ORDER BY seq LIMIT 1", (payment_id,)
    ).fetchone()
    return None if found is None else found[0]


def next_due(tx: sqlite3.Connection, now_ms: int, *, busy: Collection[str] = ()) -> Delivery | None:
    """The delivery that has waited longest. busy: references that have one on its way."""
    row = tx.execute(  # What is put together are question marks.
        "SELECT deliveries.seq AS delivery_seq, attempts, give_up_ms, webhooks.*"  # noqa: S608
        " FROM deliveries JOIN webhooks ON webhooks.seq = webhook_seq"
        " WHERE state = 'pending' AND due_ms <= ?"
        f" AND deliveries.reference NOT IN ({','.join('?' * len(busy))})"
        " ORDER BY due_ms, deliveries.seq LIMIT 1",
        (now_ms, *busy),
    ).fetchone()
    if row is None:
        return None
    webhook = Webhook(*(row[column] for column in COLUMNS.split(", ")))
    return Delivery(row["delivery_seq"], webhook, row["attempts"], row["give_up_ms"])


def next_due_ms(tx: sqlite3.Connection) -> int | None:
    """When the next delivery falls due; None when none is planned."""
    (due_ms,) = tx.execute("SELECT min(due_ms) FROM deliveries WHERE state = 'pending'").fetchone()
    return None if due_ms is None else int(due_ms)


def add_attempt(tx: sqlite3.Connection, delivery: Delivery, attempt: Attempt) -> None:
    """Delivered, to be tried again, or given up. One that was held meanwhile stays held."""
    tx.execute(
        "INSERT INTO attempts (delivery_seq, at, status, error, duration_ms)"
        " VALUES (:seq, :at, :status, :error, :duration_ms)",
        {**vars(attempt), "seq": delivery.seq},
    )
    attempts = delivery.attempts + 1
    ended_ms = clock.in_ms(attempt.at) + attempt.duration_ms
    due_ms = ended_ms + webhooks.retry_after_ms(attempts)
    if attempt.succeeded:
        state = "delivered"
    else:
        state = "given_up" if due_ms > delivery.give_up_ms else "pending"
    tx.execute(
        "UPDATE deliveries SET attempts = :attempts, due_ms = :due_ms, state ="
        " CASE WHEN state = 'held' AND :state = 'pending' THEN 'held' ELSE :state END"
        " WHERE seq = :seq",
        {"attempts": attempts, "due_ms": due_ms, "state": state, "seq": delivery.seq},
    )


def hold(tx: sqlite3.Connection, reference: str) -> None:
    """Keep back what is pending for `reference`, and what comes, until it is released."""
    tx.execute("INSERT OR IGNORE INTO holds VALUES (?)", (reference,))
    tx.execute(
        "UPDATE deliveries SET state = 'held' WHERE reference = ? AND state = 'pending'",
        (reference,),
    )


def is_held(tx: sqlite3.Connection, reference: str) -> bool:
    found = tx.execute("SELECT 1 FROM holds WHERE reference = ?", (reference,))
    return found.fetchone() is not None


def held(tx: sqlite3.Connection, reference: str) -> list[tuple[int, str]]:
    """Delivery and webhook id of all that is held back, oldest first."""
    rows = tx.execute(
        "SELECT deliveries.seq, webhooks.id FROM deliveries"
        " JOIN webhooks ON webhooks.seq = webhook_seq"
        " WHERE deliveries.reference = ? AND state = 'held' ORDER BY deliveries.seq",
        (reference,),
    )
    return [(seq, webhook_id) for seq, webhook_id in rows]


def release(tx: sqlite3.Connection, reference: str, deliveries: Sequence[int], plan: Plan) -> None:
    """Hold nothing more; `deliveries` fall due as planned, one for one."""
    tx.execute("DELETE FROM holds WHERE reference = ?", (reference,))
    tx.executemany(
        "UPDATE deliveries SET state = 'pending', due_ms = ?, give_up_ms = ? WHERE seq = ?",
        [
            (due_ms, due_ms + plan.retry_for_ms, seq)
            for seq, due_ms in zip(deliveries, plan.due_ms, strict=True)
        ],
    )
