"""Forgets what has served its purpose: sent events, old inbox rows, old idempotency keys.

In small batches, oldest first, so that no sweep holds locks that shoppers wait for.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, text

from common.db import Database

# How often a worker looks for something old; ten minutes late is not late for any of these.
SWEEP_EVERY_S: Final = 600.0
# Deleted in one transaction: some ten milliseconds of work.
BATCH_SIZE: Final = 500


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of *table* whose *column* is older than *keep* are deleted.

    key: its primary key. oldest_first: an indexed order that follows time, so that a sweep of a
    million rows looks at the first BATCH_SIZE only.
    """

    table: str
    key: str
    column: str
    oldest_first: str
    keep: timedelta


RULES: Final = (
    # Longer than any client goes on retrying; Stripe keeps its keys for a day at least.
    Rule("idempotency_keys", "subject, key", "created_at", "created_at", timedelta(hours=72)),
    # Long enough to look at what was sent in a bad week. Unsent rows have no published_at.
    Rule("outbox", "position", "published_at", "position", timedelta(days=7)),
    # A message may wait in a queue for 14 days and be redriven: its id, a UUIDv7 and so in the
    # order of time, is remembered for longer.
    Rule("inbox", "event_id", "received_at", "event_id", timedelta(days=15)),
)


def run_once(db: Database) -> int:
    """One batch by each of the RULES, as a worker's loop: how many rows went."""
    with db.transaction() as tx:
        return sweep(tx)


def sweep(tx: Connection) -> int:
    """Delete at most BATCH_SIZE rows by each of the RULES; how many went."""
    return sum(_delete(tx, rule) for rule in RULES if _exists(tx, rule.table))


def _exists(tx: Connection, table: str) -> bool:
    """Not every service has every one of these tables."""
    return tx.execute(text("SELECT to_regclass(:table)"), {"table": table}).scalar() is not None


def _delete(tx: Connection, rule: Rule) -> int:
    # The names come from RULES above; skipping locked rows lets two workers sweep side by side.
    statement = text(
        f"DELETE FROM {rule.table} WHERE ({rule.key}) IN ("  # noqa: S608
        f" SELECT {rule.key} FROM {rule.table} ORDER BY {rule.oldest_first}"
        f" LIMIT :batch FOR UPDATE SKIP LOCKED) AND {rule.column} < now() - CAST(:keep AS interval)"
    )
    return tx.execute(statement, {"keep": rule.keep, "batch": BATCH_SIZE}).rowcount
