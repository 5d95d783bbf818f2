"""A book that an earlier provider kept is carried on, not begun anew."""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from simulators.payment_provider.storage.book import FILE_NAME, Book

if TYPE_CHECKING:
    from conftest import Shop

# The first form of the book, as far as it differs, with one payment of each status.
FIRST_FORM = """
CREATE TABLE log (seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, kind TEXT NOT NULL,
  name TEXT NOT NULL, reference TEXT, payment_id TEXT, payment_method TEXT, amount_minor INTEGER,
  currency TEXT, idempotency_key TEXT, status INTEGER, replayed INTEGER NOT NULL DEFAULT 0,
  traceparent TEXT);
CREATE INDEX log_by_reference ON log (reference, seq);
CREATE TABLE payments (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  reference TEXT NOT NULL, payment_method TEXT NOT NULL, amount_minor INTEGER NOT NULL,
  currency TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('authorized', 'captured', 'voided', 'declined')),
  decline_code TEXT, captured_minor INTEGER NOT NULL, voided_minor INTEGER NOT NULL,
  created_at TEXT NOT NULL);
CREATE INDEX payments_by_reference ON payments (reference, seq);
CREATE TABLE answers (idempotency_key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL,
  status INTEGER NOT NULL, content_type TEXT NOT NULL, body BLOB NOT NULL, payment_id TEXT
) WITHOUT ROWID;
CREATE TRIGGER payments_stay BEFORE DELETE ON payments
  BEGIN SELECT RAISE(ABORT, 'payments are never deleted'); END;
INSERT INTO payments (id, reference, payment_method, amount_minor, currency, status, decline_code,
  captured_minor, voided_minor, created_at) VALUES
  ('pay_1', 'ORDER-1', 'pm_ok', 1900, 'EUR', 'authorized', NULL, 0, 0, '2026-01-01T00:00:00.000Z'),
  ('pay_2', 'ORDER-2', 'pm_ok', 1900, 'EUR', 'captured', NULL, 1500, 400,
    '2026-01-01T00:00:01.000Z'),
  ('pay_3', 'ORDER-3', 'pm_ok', 1900, 'EUR', 'voided', NULL, 0, 1900, '2026-01-01T00:00:02.000Z'),
  ('pay_4', 'ORDER-4', 'pm_declined', 1900, 'EUR', 'declined', 'generic_decline', 0, 0,
    '2026-01-01T00:00:03.000Z');
INSERT INTO log (at, kind, name, payment_id) VALUES
  ('2026-01-01T00:00:00.000Z', 'fact', 'payment.authorized', 'pay_1'),
  ('2026-01-01T00:00:01.000Z', 'fact', 'payment.authorized', 'pay_2'),
  ('2026-01-01T00:00:02.000Z', 'fact', 'payment.authorized', 'pay_3'),
  ('2026-01-01T00:00:03.000Z', 'fact', 'payment.declined', 'pay_4'),
  ('2026-01-01T00:00:04.000Z', 'fact', 'payment.captured', 'pay_2'),
  ('2026-01-01T00:00:05.000Z', 'fact', 'payment.voided', 'pay_3');
INSERT INTO answers VALUES ('key-1', 'x', 200, 'application/json', '{"id":"pay_1"}', 'pay_1');
"""


@pytest.fixture
def book(tmp_path: Path) -> Any:
    file = sqlite3.connect(tmp_path / FILE_NAME)
    file.executescript(FIRST_FORM)
    file.close()
    opened = Book(tmp_path)
    yield opened
    opened.close()


def test_its_payments_are_what_they_were(shop: "Shop") -> None:
    payments = shop.book("payments")["payments"]

    assert [
        (p["status"], p["authorized_minor"], p["captured_minor"], p["voided_minor"],
         p["refunded_minor"], p["updated_at"][17:19])
        for p in payments
    ] == [
        ("authorized", 1900, 0, 0, 0, "00"),
        ("captured", 1900, 1500, 400, 0, "04"),
        ("voided", 1900, 0, 1900, 0, "05"),
        ("declined", 0, 0, 0, 0, "03"),
    ]  # fmt: skip
    assert shop.get("/v1/operations/key-1").get_json()["body"] == {"id": "pay_1"}


def test_its_payments_go_on(shop: "Shop") -> None:
    captured = shop.post("/v1/payments/pay_1/capture", "key-2", {"amount_minor": 1900})
    refunded = shop.post("/v1/payments/pay_2/refunds", "key-3", {"amount_minor": 1500})
    made = shop.pay("key-4", reference="ORDER-5").get_json()

    listed = shop.get("/v1/payments?updated_since=2026-01-01T00:00:00Z").get_json()["payments"]
    assert captured.get_json()["status"] == "captured"
    assert refunded.get_json()["payment"]["status"] == "refunded"
    assert [payment["id"] for payment in listed] == ["pay_4", "pay_3", "pay_1", "pay_2", made["id"]]


def test_it_is_changed_once(book: Book, tmp_path: Path, shop: "Shop") -> None:
    before = shop.book("payments")
    book.close()

    reopened = Book(tmp_path)

    assert shop.over(reopened).book("payments") == before
    reopened.close()
