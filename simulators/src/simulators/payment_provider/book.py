"""The provider's own book in SQLite: what was called, what became true. Decides nothing.

Every call, every fact and every payment of one request are written in one transaction that ends
before the answer leaves, so `kill -9` loses nothing that was acknowledged. Calls, facts, tokens
and kept answers are append-only, which triggers hold against our own mistakes.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulators.payment_provider.answers import Answer
from simulators.payment_provider.payments import Charge, Payment, Status

FILE_NAME = "payment_provider.sqlite3"

# One process holds the book (see `startup`), so a lock this old is a stuck one, not a busy one.
BUSY_TIMEOUT_S = 5

SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('call', 'fact')),
  name TEXT NOT NULL,
  reference TEXT,
  payment_id TEXT,
  payment_method TEXT,
  amount_minor INTEGER,
  currency TEXT,
  idempotency_key TEXT,
  status INTEGER,
  replayed INTEGER NOT NULL DEFAULT 0,
  traceparent TEXT
);
CREATE INDEX IF NOT EXISTS log_by_reference ON log (reference, seq);
CREATE TABLE IF NOT EXISTS payments (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  reference TEXT NOT NULL,
  payment_method TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  currency TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('authorized', 'captured', 'voided', 'declined')),
  decline_code TEXT,
  captured_minor INTEGER NOT NULL CHECK (captured_minor >= 0),
  voided_minor INTEGER NOT NULL CHECK (voided_minor >= 0),
  created_at TEXT NOT NULL,
  CHECK (captured_minor + voided_minor <= amount_minor)
);
CREATE INDEX IF NOT EXISTS payments_by_reference ON payments (reference, seq);
CREATE TABLE IF NOT EXISTS answers (
  idempotency_key TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  status INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  body BLOB NOT NULL,
  payment_id TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (
  id TEXT PRIMARY KEY,
  behaviour TEXT NOT NULL,
  brand TEXT NOT NULL,
  last4 TEXT NOT NULL CHECK (length(last4) = 4),
  created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS payments_stay BEFORE DELETE ON payments
  BEGIN SELECT RAISE(ABORT, 'payments are never deleted'); END;
"""

APPEND_ONLY = ("log", "answers", "tokens")
TRIGGER = """
CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb} ON {table}
  BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
"""


class Book:
    """One connection, one writer at a time; readers wait for it too, briefly."""

    def __init__(self, data_dir: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            data_dir / FILE_NAME,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        self._connection.row_factory = sqlite3.Row
        # NORMAL in WAL survives the death of the process; only a power cut could take a commit.
        self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        triggers = [
            TRIGGER.format(table=table, verb=verb)
            for table in APPEND_ONLY
            for verb in ("UPDATE", "DELETE")
        ]
        self._connection.executescript(SCHEMA + "".join(triggers))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit when the block ends, roll back if it raises. Nothing else commits."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._connection

    def close(self) -> None:
        with self._lock:
            self._connection.close()


@dataclass(frozen=True)
class KeptAnswer:
    """The first answer given under an idempotency key."""

    fingerprint: str
    answer: Answer
    payment_id: str | None


@dataclass(frozen=True)
class Call:
    """One request of the shop and how it was answered."""

    at: str
    name: str  # payment.authorize, payment.capture, ...
    status: int
    reference: str | None = None
    payment_id: str | None = None
    payment_method: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    idempotency_key: str | None = None
    replayed: bool = False
    traceparent: str | None = None


def add_call(tx: sqlite3.Connection, call: Call) -> None:
    tx.execute(
        "INSERT INTO log (kind, at, name, reference, payment_id, payment_method, amount_minor,"
        " currency, idempotency_key, status, replayed, traceparent)"
        " VALUES ('call', :at, :name, :reference, :payment_id, :payment_method, :amount_minor,"
        " :currency, :idempotency_key, :status, :replayed, :traceparent)",
        vars(call),
    )


def was_called(tx: sqlite3.Connection, name: str, charge: Charge) -> bool:
    """Whether `name` was ever called for this reference with this payment method."""
    found = tx.execute(
        "SELECT 1 FROM log WHERE reference = ? AND kind = 'call' AND name = ?"
        " AND payment_method = ? LIMIT 1",
        (charge.reference, name, charge.payment_method),
    )
    return found.fetchone() is not None


def add_payment(tx: sqlite3.Connection, payment: Payment) -> None:
    """A new payment and the fact that it was authorized or declined."""
    tx.execute(
        "INSERT INTO payments (id, status, decline_code, captured_minor, voided_minor, created_at,"
        " amount_minor, currency, payment_method, reference)"
        " VALUES (:id, :status, :decline_code, :captured_minor, :voided_minor, :created_at,"
        " :amount_minor, :currency, :payment_method, :reference)",
        {**vars(payment), **vars(payment.charge), "status": payment.status.value},
    )
    _add_fact(tx, payment, payment.charge.amount_minor, at=payment.created_at)


def change_payment(tx: sqlite3.Connection, payment: Payment, *, at: str) -> None:
    """What became of an authorization: captured or voided, and the fact of it."""
    tx.execute(
        "UPDATE payments SET status = ?, captured_minor = ?, voided_minor = ? WHERE id = ?",
        (payment.status.value, payment.captured_minor, payment.voided_minor, payment.id),
    )
    _add_fact(tx, payment, payment.captured_minor or payment.voided_minor, at=at)


def _add_fact(tx: sqlite3.Connection, payment: Payment, amount_minor: int, *, at: str) -> None:
    charge = payment.charge
    tx.execute(
        "INSERT INTO log (kind, at, name, reference, payment_id, payment_method, amount_minor,"
        " currency) VALUES ('fact', ?, ?, ?, ?, ?, ?, ?)",
        (at, f"payment.{payment.status.value}", charge.reference, payment.id,
         charge.payment_method, amount_minor, charge.currency),
    )  # fmt: skip


def find_payment(tx: sqlite3.Connection, payment_id: str) -> Payment | None:
    row = tx.execute("SELECT * FROM payments WHERE id = ?", (payment_id,)).fetchone()
    return None if row is None else payment_of(row)


def payments_of(tx: sqlite3.Connection, reference: str, *, limit: int) -> list[Payment]:
    """Oldest first."""
    rows = tx.execute(
        "SELECT * FROM payments WHERE reference = ? ORDER BY seq LIMIT ?", (reference, limit)
    )
    return [payment_of(row) for row in rows]


def payment_of(row: sqlite3.Row) -> Payment:
    charge = Charge(row["amount_minor"], row["currency"], row["payment_method"], row["reference"])
    return Payment(
        row["id"],
        charge,
        Status(row["status"]),
        row["decline_code"],
        row["captured_minor"],
        row["voided_minor"],
        row["created_at"],
    )


def keep_answer(tx: sqlite3.Connection, key: str, kept: KeptAnswer) -> None:
    answer = kept.answer
    tx.execute(
        "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)",
        (key, kept.fingerprint, answer.status, answer.content_type, answer.body, kept.payment_id),
    )


def kept_answer(tx: sqlite3.Connection, key: str) -> KeptAnswer | None:
    row = tx.execute("SELECT * FROM answers WHERE idempotency_key = ?", (key,)).fetchone()
    if row is None:
        return None
    answer = Answer(row["status"], row["body"], row["content_type"])
    return KeptAnswer(row["fingerprint"], answer, row["payment_id"])


def add_token(tx: sqlite3.Connection, token: tuple[str, str, str, str, str]) -> None:
    """token: id, behaviour, brand, last four digits, created_at. Never the number itself."""
    tx.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", token)


def token_behaviour(tx: sqlite3.Connection, token: str) -> str | None:
    row = tx.execute("SELECT behaviour FROM tokens WHERE id = ?", (token,)).fetchone()
    return None if row is None else str(row["behaviour"])


def reference_of(tx: sqlite3.Connection, payment_id: str | None) -> str | None:
    row = tx.execute("SELECT reference FROM payments WHERE id = ?", (payment_id,)).fetchone()
    return None if row is None else str(row["reference"])
