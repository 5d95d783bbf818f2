"""The provider's own book in SQLite: what was called, what became true. Decides nothing.

Every call, every fact, every webhook and every payment of one request are written in one
transaction that ends before the answer leaves, so `kill -9` loses nothing that was acknowledged.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from simulators.payment_provider import clock
from simulators.payment_provider.rules.answers import Answer
from simulators.payment_provider.rules.behaviours import SELF_TEST
from simulators.payment_provider.rules.payments import Charge, NextAction, Payment, Status
from simulators.payment_provider.storage import schema
from simulators.sqlite_book import SqliteBook

FILE_NAME = "payment_provider.sqlite3"


class Book(SqliteBook):
    """The book in `data_dir`, brought to its present form."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir / FILE_NAME)
        self._executescript(schema.script(self._connection))


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


@dataclass(frozen=True)
class Refund:
    """Money that was given back."""

    id: str
    payment_id: str
    amount_minor: int
    reference: str | None  # the merchant's own name for it
    created_at: str


@dataclass(frozen=True)
class Challenge:
    """A 3-D Secure page that is open to whoever knows its key."""

    payment_id: str
    key: str
    url: str
    expires_at: str
    return_url: str | None


PAYMENTS = (
    "SELECT payments.*, url AS action_url, expires_at AS action_expires_at"
    " FROM payments LEFT JOIN challenges ON payment_id = payments.id"
)


# Those that a merchant is shown who asks for all of them.
LISTED = f"{PAYMENTS} WHERE payment_method <> '{SELF_TEST}'"


def moment(tx: sqlite3.Connection, at_ms: int) -> str:
    """`at_ms`, or that of the last change if the clock went back: readers page by it."""
    (last,) = tx.execute("SELECT max(updated_at) FROM payments").fetchone()
    return max(clock.rfc3339(at_ms), last or "")


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


def add_fact(
    tx: sqlite3.Connection, name: str, payment: Payment, amount_minor: int, *, at: str
) -> int:
    """Its place in the log."""
    charge = payment.charge
    seq = tx.execute(
        "INSERT INTO log (kind, at, name, reference, payment_id, payment_method, amount_minor,"
        " currency) VALUES ('fact', ?, ?, ?, ?, ?, ?, ?)",
        (at, name, charge.reference, payment.id,
         charge.payment_method, amount_minor, charge.currency),
    ).lastrowid  # fmt: skip
    assert seq is not None
    return seq


def add_payment(tx: sqlite3.Connection, payment: Payment, *, changed_seq: int) -> None:
    tx.execute(
        "INSERT INTO payments (id, status, decline_code, authorized_minor, captured_minor,"
        " voided_minor, refunded_minor, created_at, updated_at, changed_seq, amount_minor,"
        " currency, payment_method, reference)"
        " VALUES (:id, :status, :decline_code, :authorized_minor, :captured_minor,"
        " :voided_minor, :refunded_minor, :created_at, :updated_at, :changed_seq, :amount_minor,"
        " :currency, :payment_method, :reference)",
        {**_columns(payment), **vars(payment.charge), "changed_seq": changed_seq},
    )


def change_payment(tx: sqlite3.Connection, payment: Payment, *, changed_seq: int) -> None:
    tx.execute(
        "UPDATE payments SET status = :status, decline_code = :decline_code,"
        " authorized_minor = :authorized_minor, captured_minor = :captured_minor,"
        " voided_minor = :voided_minor, refunded_minor = :refunded_minor,"
        " updated_at = :updated_at, changed_seq = :changed_seq WHERE id = :id",
        {**_columns(payment), "changed_seq": changed_seq},
    )


def _columns(payment: Payment) -> dict[str, object]:
    columns = {**vars(payment), "status": payment.status.value}
    del columns["charge"], columns["next_action"]
    return columns


def find_payment(tx: sqlite3.Connection, payment_id: str) -> Payment | None:
    row = tx.execute(f"{PAYMENTS} WHERE id = ?", (payment_id,)).fetchone()
    return None if row is None else payment_of(row)


def payments_of(tx: sqlite3.Connection, reference: str, *, limit: int) -> list[Payment]:
    """Oldest first."""
    rows = tx.execute(f"{PAYMENTS} WHERE reference = ? ORDER BY seq LIMIT ?", (reference, limit))
    return [payment_of(row) for row in rows]


def payments_changed(
    tx: sqlite3.Connection, since: str, changed_seq: int, *, limit: int
) -> list[sqlite3.Row]:
    """In the order of their last change, from the one after (`since`, `changed_seq`) on."""
    return tx.execute(
        f"{LISTED} AND (updated_at, changed_seq) > (?, ?) ORDER BY updated_at, changed_seq LIMIT ?",
        (since, changed_seq, limit),
    ).fetchall()


def payment_of(row: sqlite3.Row) -> Payment:
    """`row`: as PAYMENTS selects it."""
    charge = Charge(row["amount_minor"], row["currency"], row["payment_method"], row["reference"])
    waits = row["status"] == Status.REQUIRES_ACTION
    return Payment(
        row["id"],
        charge,
        Status(row["status"]),
        row["decline_code"],
        row["authorized_minor"],
        row["captured_minor"],
        row["voided_minor"],
        row["refunded_minor"],
        row["created_at"],
        row["updated_at"],
        NextAction(row["action_url"], row["action_expires_at"]) if waits else None,
    )


def add_refund(tx: sqlite3.Connection, refund: Refund) -> None:
    tx.execute(
        "INSERT INTO refunds (id, payment_id, amount_minor, reference, created_at)"
        " VALUES (:id, :payment_id, :amount_minor, :reference, :created_at)",
        vars(refund),
    )


def refunds_of(tx: sqlite3.Connection, payment_id: str) -> list[Refund]:
    """Oldest first."""
    rows = tx.execute(
        "SELECT id, payment_id, amount_minor, reference, created_at FROM refunds"
        " WHERE payment_id = ? ORDER BY seq",
        (payment_id,),
    )
    return [Refund(*row) for row in rows]


def add_challenge(tx: sqlite3.Connection, challenge: Challenge) -> None:
    tx.execute(
        "INSERT INTO challenges VALUES (:payment_id, :key, :url, :expires_at, :return_url)",
        vars(challenge),
    )


def find_challenge(tx: sqlite3.Connection, payment_id: str) -> Challenge | None:
    row = tx.execute("SELECT * FROM challenges WHERE payment_id = ?", (payment_id,)).fetchone()
    return None if row is None else Challenge(*row)


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


def card_of(tx: sqlite3.Connection, token: str) -> tuple[str, str] | None:
    """Brand and last four digits; None for a token that stands for no card."""
    row = tx.execute("SELECT brand, last4 FROM tokens WHERE id = ?", (token,)).fetchone()
    return None if row is None else (row["brand"], row["last4"])


def reference_of(tx: sqlite3.Connection, payment_id: str | None) -> str | None:
    row = tx.execute("SELECT reference FROM payments WHERE id = ?", (payment_id,)).fetchone()
    return None if row is None else str(row["reference"])
