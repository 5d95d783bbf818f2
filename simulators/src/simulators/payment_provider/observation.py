"""What the book holds, read in pages and in sums for tests and people. Writes nothing."""

import sqlite3

from simulators.payment_provider.book import payment_of
from simulators.payment_provider.payments import Payment


def payments_after(tx: sqlite3.Connection, after: int, *, limit: int) -> list[sqlite3.Row]:
    """Payments in the order they were made, from the one behind cursor `after` on."""
    return tx.execute(
        "SELECT * FROM payments WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
    ).fetchall()


def latest_payments(tx: sqlite3.Connection, *, limit: int) -> list[Payment]:
    """Newest first."""
    rows = tx.execute("SELECT * FROM payments ORDER BY seq DESC LIMIT ?", (limit,))
    return [payment_of(row) for row in rows]


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


def summary(tx: sqlite3.Connection) -> dict[str, object]:
    """The whole book in a few sums. Reads all of it: for the end of a run, not for polling."""
    return {
        "payments": _count(tx, "SELECT count(*) FROM payments"),
        "by_status": dict(
            tx.execute("SELECT status, count(*) FROM payments GROUP BY status").fetchall()
        ),
        "by_currency": _by_currency(tx),
        "references_charged_more_than_once": _count(tx, CHARGED_MORE_THAN_ONCE),
        "calls": _count(tx, "SELECT count(*) FROM log WHERE kind = 'call'"),
        "replayed_calls": _count(tx, "SELECT count(*) FROM log WHERE replayed"),
    }


# Effective: what holds or took money. A declined or voided payment beside it does no harm.
CHARGED_MORE_THAN_ONCE = """
SELECT count(*) FROM (
  SELECT reference FROM payments WHERE status IN ('authorized', 'captured')
  GROUP BY reference HAVING count(*) > 1
)"""


def _by_currency(tx: sqlite3.Connection) -> dict[str, dict[str, int]]:
    rows = tx.execute(
        "SELECT currency, sum(CASE status WHEN 'declined' THEN 0 ELSE amount_minor END),"
        " sum(captured_minor), sum(voided_minor) FROM payments GROUP BY currency"
    )
    return {
        currency: {
            "authorized_minor": authorized,
            "captured_minor": captured,
            "voided_minor": voided,
        }
        for currency, authorized, captured, voided in rows
    }


def _count(tx: sqlite3.Connection, query: str) -> int:
    return int(tx.execute(query).fetchone()[0])
