"""The tables of the provider's book, and how a book of an earlier form becomes one of this.

Calls, facts, answers, tokens, refunds, challenges, webhooks and attempts are append-only.
"""

import sqlite3

from simulators.sqlite_book import append_only

# Kept in the file as `user_version`. The first form of the book had none.
FORM = 2

LOG = """
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
CREATE INDEX IF NOT EXISTS log_by_payment ON log (payment_id, seq);
"""

# `changed_seq` is the log entry that last changed the payment: no two changes share one, so it
# tells changes of one millisecond apart.
PAYMENTS = """
CREATE TABLE IF NOT EXISTS payments (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  reference TEXT NOT NULL,
  payment_method TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  currency TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('requires_action', 'authorized', 'declined', 'captured',
    'voided', 'partially_refunded', 'refunded')),
  decline_code TEXT,
  authorized_minor INTEGER NOT NULL CHECK (authorized_minor IN (0, amount_minor)),
  captured_minor INTEGER NOT NULL CHECK (captured_minor >= 0),
  voided_minor INTEGER NOT NULL CHECK (voided_minor >= 0),
  refunded_minor INTEGER NOT NULL CHECK (refunded_minor BETWEEN 0 AND captured_minor),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  changed_seq INTEGER NOT NULL,
  CHECK (captured_minor + voided_minor <= authorized_minor),
  CHECK (status IN ('requires_action', 'authorized')
    OR captured_minor + voided_minor = authorized_minor)
);
CREATE INDEX IF NOT EXISTS payments_by_reference ON payments (reference, seq);
CREATE INDEX IF NOT EXISTS payments_by_change ON payments (updated_at, changed_seq);
CREATE TRIGGER IF NOT EXISTS payments_no_DELETE BEFORE DELETE ON payments
  BEGIN SELECT RAISE(ABORT, 'payments are never deleted'); END;
"""

REFUNDS = """
CREATE TABLE IF NOT EXISTS refunds (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  payment_id TEXT NOT NULL REFERENCES payments (id),
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  reference TEXT,
  created_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS refunds_by_payment ON refunds (payment_id, seq);
"""

CHALLENGES = """
CREATE TABLE IF NOT EXISTS challenges (
  payment_id TEXT PRIMARY KEY REFERENCES payments (id),
  key TEXT NOT NULL,
  url TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  return_url TEXT
) WITHOUT ROWID;
"""

ANSWERS = """
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
"""

# A webhook is what is to be told; a delivery is the plan to tell it once; an attempt is a try.
WEBHOOKS = """
CREATE TABLE IF NOT EXISTS webhooks (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL,
  payment_id TEXT NOT NULL REFERENCES payments (id),
  reference TEXT NOT NULL,
  created_at TEXT NOT NULL,
  traceparent TEXT,
  body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS webhooks_by_reference ON webhooks (reference, seq);
CREATE INDEX IF NOT EXISTS webhooks_by_payment ON webhooks (payment_id, seq);
CREATE TABLE IF NOT EXISTS deliveries (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  webhook_seq INTEGER NOT NULL REFERENCES webhooks (seq),
  reference TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'held', 'delivered', 'given_up')),
  due_ms INTEGER NOT NULL,
  give_up_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_ms, seq) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS deliveries_by_webhook ON deliveries (webhook_seq);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (reference, seq)
  WHERE state IN ('pending', 'held');
CREATE TABLE IF NOT EXISTS attempts (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  delivery_seq INTEGER NOT NULL REFERENCES deliveries (seq),
  at TEXT NOT NULL,
  status INTEGER,
  error TEXT,
  duration_ms INTEGER NOT NULL,
  CHECK ((status IS NULL) <> (error IS NULL))
);
CREATE INDEX IF NOT EXISTS attempts_by_delivery ON attempts (delivery_seq);
CREATE TABLE IF NOT EXISTS holds (reference TEXT PRIMARY KEY) WITHOUT ROWID;
"""

APPEND_ONLY = (
    "log",
    "answers",
    "tokens",
    "refunds",
    "challenges",
    "webhooks",
    "attempts",
)

SCHEMA = (
    LOG
    + PAYMENTS
    + REFUNDS
    + CHALLENGES
    + ANSWERS
    + WEBHOOKS
    + append_only(APPEND_ONLY)
    + append_only(["deliveries"], ["DELETE"])
    + f"PRAGMA user_version = {FORM};"
)

# Its payments knew no refund and no challenge, so what they were since is in the log.
FROM_FORM_1 = f"""
DROP TRIGGER IF EXISTS payments_stay;
DROP INDEX IF EXISTS payments_by_reference;
ALTER TABLE payments RENAME TO payments_of_form_1;
{PAYMENTS}
INSERT INTO payments
  SELECT seq, id, reference, payment_method, amount_minor, currency, status, decline_code,
    CASE status WHEN 'declined' THEN 0 ELSE amount_minor END,
    captured_minor, voided_minor, 0, created_at,
    (SELECT at FROM log WHERE log.payment_id = old.id AND kind = 'fact' ORDER BY seq DESC LIMIT 1),
    (SELECT max(seq) FROM log WHERE log.payment_id = old.id AND kind = 'fact')
  FROM payments_of_form_1 AS old;
DROP TABLE payments_of_form_1;
"""  # noqa: S608 - constants only


def script(connection: sqlite3.Connection) -> str:
    """What makes the file behind *connection* a book of this form: nothing new if it is one."""
    (form,) = connection.execute("PRAGMA user_version").fetchone()
    is_old = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'payments'").fetchone()
    # The log comes first: its index makes the step quick for a long book.
    return LOG + FROM_FORM_1 + SCHEMA if form < FORM and is_old else SCHEMA
