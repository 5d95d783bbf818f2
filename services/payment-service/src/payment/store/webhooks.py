"""Webhooks as they came, until the worker has looked at them."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from payment.store.tables import webhook_events

# Asked for many times a second: made once, because to make it costs more than to ask.
_NEXT_DUE = (
    select(webhook_events)
    .where(webhook_events.c.state == "due", webhook_events.c.next_attempt_at <= func.now())
    .order_by(webhook_events.c.next_attempt_at, webhook_events.c.position)
    .limit(1)
    .with_for_update(skip_locked=True)
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """id: the provider's own. body: the JSON that was signed. traceparent: of the request."""

    id: str
    type: str
    body: str
    attempts: int = 0
    traceparent: str | None = None


def add(tx: Connection, webhook: Webhook) -> bool:
    """Whether it is the first of its id; if not, nothing was written."""
    statement = (
        pg_insert(webhook_events)
        .values(
            id=webhook.id, type=webhook.type, body=webhook.body, traceparent=webhook.traceparent
        )
        .on_conflict_do_nothing(index_elements=["id"])
    )
    return tx.execute(statement).rowcount == 1


def next_due(tx: Connection) -> Webhook | None:
    """The one that waits longest, nobody else's until the transaction ends."""
    row = tx.execute(_NEXT_DUE).one_or_none()
    return Webhook(row.id, row.type, row.body, row.attempts, row.traceparent) if row else None


def finish(tx: Connection, id: str, *, refused: str | None = None) -> None:
    """refused: why it had no effect; it is kept for whoever looks."""
    tx.execute(
        update(webhook_events)
        .where(webhook_events.c.id == id)
        .values(
            state="refused" if refused else "done",
            attempts=webhook_events.c.attempts + 1,
            last_error=refused,
            done_at=func.now(),
        )
    )


def postpone(tx: Connection, id: str, delay_s: float, error: str) -> None:
    tx.execute(
        update(webhook_events)
        .where(webhook_events.c.id == id)
        .values(
            attempts=webhook_events.c.attempts + 1,
            next_attempt_at=func.now() + timedelta(seconds=delay_s),
            last_error=error,
        )
    )


def sweep(tx: Connection, keep_s: float, batch: int) -> int:
    """Forget, oldest first, what was dealt with *keep_s* seconds ago; how many went."""
    old = (
        select(webhook_events.c.position)
        .where(
            webhook_events.c.state == "done",
            webhook_events.c.done_at < func.now() - timedelta(seconds=keep_s),
        )
        # By `webhook_events_done`: in any other order all that is young is looked at, too.
        .order_by(webhook_events.c.done_at)
        .limit(batch)
    )
    return tx.execute(webhook_events.delete().where(webhook_events.c.position.in_(old))).rowcount
