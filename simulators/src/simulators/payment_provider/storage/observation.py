"""What the book holds, read in pages and in sums for tests and people. Writes nothing."""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence

import orjson

from simulators.payment_provider import clock
from simulators.payment_provider.storage.book import LISTED

# More than any list asks for: SQLite takes 32,766 parameters in a statement.
SEQS_MAX = 10_000


def payments_after(tx: sqlite3.Connection, after: int, *, limit: int) -> list[sqlite3.Row]:
    """Payments in the order they were made, from the one behind cursor `after` on."""
    return tx.execute(f"{LISTED} AND seq > ? ORDER BY seq LIMIT ?", (after, limit)).fetchall()


def log_after(
    tx: sqlite3.Connection, kind: str, after: int, *, reference: str | None, limit: int
) -> list[sqlite3.Row]:
    """Calls or facts in the order they were written; of one reference when it is given."""
    if reference is None:
        found = tx.execute(
            "SELECT * FROM log WHERE kind = ? AND seq > ? ORDER BY seq LIMIT ?",
            (kind, after, limit),
        )
    else:
        found = tx.execute(
            "SELECT * FROM log WHERE reference = ? AND kind = ? AND seq > ? ORDER BY seq LIMIT ?",
            (reference, kind, after, limit),
        )
    return found.fetchall()


def webhooks_after(
    tx: sqlite3.Connection, after: int, *, reference: str | None, limit: int
) -> list[sqlite3.Row]:
    """In the order they were made; of one reference when it is given."""
    if reference is None:
        found = tx.execute(
            "SELECT * FROM webhooks WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        )
    else:
        found = tx.execute(
            "SELECT * FROM webhooks WHERE reference = ? AND seq > ? ORDER BY seq LIMIT ?",
            (reference, after, limit),
        )
    return found.fetchall()


def find_webhook(tx: sqlite3.Connection, id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = tx.execute("SELECT * FROM webhooks WHERE id = ?", (id,)).fetchone()
    return row


Deliveries = dict[int, list[dict[str, object]]]


def deliveries_of(tx: sqlite3.Connection, webhook_seqs: Sequence[int]) -> Deliveries:
    """Every planned delivery of these webhooks with its attempts, by webhook."""
    assert len(webhook_seqs) <= SEQS_MAX
    # What is put together below are question marks.
    marks = ",".join("?" * len(webhook_seqs))
    attempts = defaultdict(list)
    for row in tx.execute(
        "SELECT attempts.* FROM attempts JOIN deliveries ON deliveries.seq = delivery_seq"  # noqa: S608
        f" WHERE webhook_seq IN ({marks}) ORDER BY attempts.seq",
        webhook_seqs,
    ):
        shown = {name: row[name] for name in ("at", "status", "error", "duration_ms")}
        attempts[row["delivery_seq"]].append(shown)
    deliveries: Deliveries = defaultdict(list)
    for row in tx.execute(
        f"SELECT * FROM deliveries WHERE webhook_seq IN ({marks}) ORDER BY seq",  # noqa: S608
        webhook_seqs,
    ):
        shown = {"state": row["state"], "attempts": attempts[row["seq"]]}
        if row["state"] == "pending":
            shown["due_at"] = clock.rfc3339(row["due_ms"])
        deliveries[row["webhook_seq"]].append(shown)
    return deliveries


def webhook_shown(row: sqlite3.Row, deliveries: list[dict[str, object]]) -> dict[str, object]:
    """A webhook with its body as `event`, and how telling it goes."""
    names = ("seq", "id", "type", "payment_id", "reference", "created_at", "traceparent")
    return {
        **{name: row[name] for name in names},
        "event": orjson.loads(row["body"]),
        "deliveries": deliveries,
    }


def webhook(tx: sqlite3.Connection, id: str) -> dict[str, object]:
    """The webhook of this id, which there is."""
    row = find_webhook(tx, id)
    assert row is not None
    return webhook_shown(row, deliveries_of(tx, [row["seq"]])[row["seq"]])


def totals(tx: sqlite3.Connection) -> dict[str, object]:
    """What the page for people says of the whole book."""
    return {
        "payments": _count(tx, "SELECT count(*) FROM payments"),
        "by_currency": _by_currency(tx),
        "calls": _count(tx, "SELECT count(*) FROM log WHERE kind = 'call'"),
        "deliveries_by_state": _by(tx, "SELECT state, count(*) FROM deliveries GROUP BY state"),
    }


def summary(tx: sqlite3.Connection) -> dict[str, object]:
    """The whole book in a few sums. Reads all of it: for the end of a run, not for polling."""
    return {
        **totals(tx),
        "by_status": _by(tx, "SELECT status, count(*) FROM payments GROUP BY status"),
        "references_charged_more_than_once": _count(tx, CHARGED_MORE_THAN_ONCE),
        "refunds": _count(tx, "SELECT count(*) FROM refunds"),
        "replayed_calls": _count(tx, "SELECT count(*) FROM log WHERE replayed"),
        "webhooks": _count(tx, "SELECT count(*) FROM webhooks"),
        "attempts": _count(tx, "SELECT count(*) FROM attempts"),
    }


# Effective: what holds or took money. A declined, voided or refunded payment beside it does no
# harm.
CHARGED_MORE_THAN_ONCE = """
SELECT count(*) FROM (
  SELECT reference FROM payments WHERE status IN ('authorized', 'captured', 'partially_refunded')
  GROUP BY reference HAVING count(*) > 1
)"""


def _by_currency(tx: sqlite3.Connection) -> dict[str, dict[str, int]]:
    rows = tx.execute(
        "SELECT currency, sum(authorized_minor) AS authorized_minor,"
        " sum(captured_minor) AS captured_minor, sum(voided_minor) AS voided_minor,"
        " sum(refunded_minor) AS refunded_minor FROM payments GROUP BY currency"
    )
    return {row["currency"]: {name: row[name] for name in row.keys()[1:]} for row in rows}


def _by(tx: sqlite3.Connection, query: str) -> dict[str, int]:
    return dict(tx.execute(query).fetchall())


def _count(tx: sqlite3.Connection, query: str) -> int:
    return int(tx.execute(query).fetchone()[0])
