"""Newest first, for people who look through the book: payments, operations and webhooks.

A page of each is told by the cursor that its entries are older than. Writes nothing.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulators.payment_provider.rules.payments import CURRENCY_DECIMALS, Payment
from simulators.payment_provider.storage import observation
from simulators.payment_provider.storage.book import PAYMENTS, payment_of

# What a person takes in without scrolling for long; there are three lists on one page.
PER_LIST = 15

# Larger than any cursor: the list begins with the newest.
NEWEST = 10**18 - 1


# A capture names no currency: it is the payment's.
CALLS = """
SELECT log.*, coalesce(currency, (SELECT payments.currency FROM payments
  WHERE payments.id = payment_id)) AS amount_currency
FROM log WHERE kind = 'call'"""


@dataclass(frozen=True)
class Part:
    """One page of a list. older_than: the cursor of the next page, None on the last."""

    entries: Sequence[Mapping[str, object]]
    older_than: int | None
    is_newest: bool


def payments(tx: sqlite3.Connection, older_than: int, reference: str | None) -> Part:
    rows = _older(tx, PAYMENTS + " WHERE TRUE", older_than, reference)
    return _part(rows, [_payment(payment_of(row)) for row in rows], older_than)


def operations(tx: sqlite3.Connection, older_than: int, reference: str | None) -> Part:
    """What the shop asked for, and was answered."""
    rows = _older(tx, CALLS, older_than, reference)
    return _part(rows, [dict(row) for row in rows], older_than)


def webhooks(tx: sqlite3.Connection, older_than: int, reference: str | None) -> Part:
    rows = _older(tx, "SELECT * FROM webhooks WHERE TRUE", older_than, reference)
    deliveries = observation.deliveries_of(tx, [row["seq"] for row in rows])
    shown = [observation.webhook_shown(row, deliveries[row["seq"]]) for row in rows]
    return _part(rows, shown, older_than)


def amount(amount_minor: int, currency: str) -> str:
    """`19.00 EUR`, `1900 JPY`: as many decimals as ISO 4217 gives the currency."""
    decimals = CURRENCY_DECIMALS[currency]
    return f"{amount_minor / 10**decimals:,.{decimals}f} {currency}"


def _payment(payment: Payment) -> Mapping[str, object]:
    charge = payment.charge
    moved = {
        "captured": payment.captured_minor,
        "voided": payment.voided_minor,
        "refunded": payment.refunded_minor,
    }
    return {
        "payment": payment,
        "amount": amount(charge.amount_minor, charge.currency),
        "moved": {what: amount(minor, charge.currency) for what, minor in moved.items() if minor},
    }


def _older(
    tx: sqlite3.Connection, select: str, older_than: int, reference: str | None
) -> list[sqlite3.Row]:
    """One more than is shown tells whether more follow."""
    of_reference = "" if reference is None else " AND reference = :reference"
    return tx.execute(
        f"{select}{of_reference} AND seq < :older_than ORDER BY seq DESC LIMIT :limit",
        {"reference": reference, "older_than": older_than, "limit": PER_LIST + 1},
    ).fetchall()


def _part(
    rows: list[sqlite3.Row], entries: Sequence[Mapping[str, object]], older_than: int
) -> Part:
    has_more = len(rows) > PER_LIST
    cursor = rows[PER_LIST - 1]["seq"] if has_more else None
    return Part(entries[:PER_LIST], cursor, older_than == NEWEST)
