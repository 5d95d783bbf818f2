"""The mailbox's book in SQLite: every mail once, every delivery of it. Append-only.

A delivery is written in one transaction that ends before the sender hears 250, so `kill -9`
loses nothing that was accepted. Triggers hold "append-only" against our own mistakes.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from simulators.mailbox.mail import KIND_HEADER, ORDER_ID_HEADER, Mail
from simulators.sqlite_book import SqliteBook, append_only

FILE_NAME = "mailbox.sqlite3"

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  message_id TEXT UNIQUE,
  sender TEXT NOT NULL,
  recipients TEXT NOT NULL,
  subject TEXT,
  order_id TEXT,
  kind TEXT,
  headers TEXT NOT NULL,
  text TEXT,
  html TEXT,
  received_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_by_order ON messages (order_id, seq);
CREATE TABLE IF NOT EXISTS recipients (
  address TEXT NOT NULL,
  message_seq INTEGER NOT NULL REFERENCES messages (seq),
  PRIMARY KEY (address, message_seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  message_seq INTEGER NOT NULL REFERENCES messages (seq),
  recipients TEXT NOT NULL,
  at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_by_message ON deliveries (message_seq);
"""

TABLES = ("messages", "recipients", "deliveries")

DELIVERIES = "(SELECT count(*) FROM deliveries WHERE message_seq = messages.seq) AS deliveries"

# What a list may be narrowed by, and how.
CONDITIONS = {
    "to": "seq IN (SELECT message_seq FROM recipients WHERE address = lower(:to))",
    "order_id": "order_id = :order_id",
    "kind": "kind = :kind",
    # Of the body what a person reads: a word of the markup would find every mail.
    "q": (
        "instr(casefold(recipients || char(10) || coalesce(subject, '') || char(10)"
        " || coalesce(text, html, '')), casefold(:q)) > 0"
    ),
}


@dataclass(frozen=True)
class Envelope:
    """Who it came from and whom it is for (RFC 5321), which the mail itself need not say."""

    sender: str
    recipients: tuple[str, ...]
    received_at: str  # RFC 3339, UTC


class Book(SqliteBook):
    """One connection, one user at a time."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir / FILE_NAME)
        # SQLite's own knows ASCII only, and the mails are in two languages.
        self._connection.create_function("casefold", 1, str.casefold, deterministic=True)
        self._connection.executescript(SCHEMA + append_only(TABLES))

    def deliver(self, envelope: Envelope, mail: Mail) -> bool:
        """Keep the mail; whether it is new. One whose Message-ID is known is only counted.

        That is duplicate suppression as Cyrus and Dovecot do it, but for the whole mail and not
        for each recipient. A mail without a Message-ID is always new.
        """
        with self.transaction() as tx:
            seq = _find(tx, mail.header("Message-ID"))
            is_new = seq is None
            if seq is None:
                seq = _add_message(tx, envelope, mail)
            tx.execute(
                "INSERT INTO deliveries (message_seq, recipients, at) VALUES (?, ?, ?)",
                (seq, json.dumps(envelope.recipients), envelope.received_at),
            )
        return is_new

    def list_messages(
        self, narrowed_by: Mapping[str, str], after: int, *, limit: int
    ) -> list[sqlite3.Row]:
        """Messages in the order they came, from the one behind cursor `after` on.

        narrowed_by: any of `to`, `order_id`, `kind` and `q`; all given have to match.
        """
        conditions = ["seq > :after", *_conditions(narrowed_by)]
        return self._read(
            f"SELECT *, {DELIVERIES} FROM messages WHERE {' AND '.join(conditions)}"  # noqa: S608 - constants only
            " ORDER BY seq LIMIT :limit",
            {**narrowed_by, "after": after, "limit": limit},
        )

    def latest(self, narrowed_by: Mapping[str, str], *, limit: int) -> list[sqlite3.Row]:
        """Newest first. narrowed_by: as for `list_messages`."""
        conditions = ["seq > 0", *_conditions(narrowed_by)]
        return self._read(
            f"SELECT *, {DELIVERIES} FROM messages WHERE {' AND '.join(conditions)}"  # noqa: S608 - constants only
            " ORDER BY seq DESC LIMIT :limit",
            {**narrowed_by, "limit": limit},
        )

    def find(self, id: str) -> sqlite3.Row | None:
        query = f"SELECT *, {DELIVERIES} FROM messages WHERE id = :id"  # noqa: S608 - constants only
        return next(iter(self._read(query, {"id": id})), None)

    def summary(self) -> dict[str, int]:
        """How many mails there are, and how many deliveries were suppressed as duplicates."""
        counted = self._read(
            "SELECT (SELECT count(*) FROM messages) AS messages,"
            " (SELECT count(*) FROM deliveries) AS deliveries",
            {},
        )[0]
        messages = int(counted["messages"])
        return {"messages": messages, "duplicates": int(counted["deliveries"]) - messages}

    def _read(self, query: str, arguments: Mapping[str, object]) -> list[sqlite3.Row]:
        with self.reading() as connection:
            return connection.execute(query, arguments).fetchall()


def _conditions(narrowed_by: Mapping[str, str]) -> list[str]:
    return [CONDITIONS[name] for name in narrowed_by]


def _find(tx: sqlite3.Connection, message_id: str | None) -> int | None:
    row = tx.execute("SELECT seq FROM messages WHERE message_id = ?", (message_id,)).fetchone()
    return None if row is None else int(row["seq"])


def _add_message(tx: sqlite3.Connection, envelope: Envelope, mail: Mail) -> int:
    message = {
        "id": f"msg_{token_hex(12)}",
        "message_id": mail.header("Message-ID"),
        "sender": envelope.sender,
        "recipients": json.dumps(envelope.recipients),
        "subject": mail.header("Subject"),
        "order_id": mail.header(ORDER_ID_HEADER),
        "kind": mail.header(KIND_HEADER),
        "headers": json.dumps(mail.headers),
        "text": mail.text,
        "html": mail.html,
        "received_at": envelope.received_at,
    }
    seq = tx.execute(
        "INSERT INTO messages (id, message_id, sender, recipients, subject, order_id, kind,"
        " headers, text, html, received_at) VALUES (:id, :message_id, :sender, :recipients,"
        " :subject, :order_id, :kind, :headers, :text, :html, :received_at)",
        message,
    ).lastrowid
    assert seq is not None
    tx.executemany(
        "INSERT OR IGNORE INTO recipients VALUES (?, ?)",
        [(address.lower(), seq) for address in envelope.recipients],
    )
    return seq
