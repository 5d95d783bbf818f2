"""Refunds, and the double-entry ledger whose sums are every balance there is (ADR-0014)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from payment.domain import Balance, Payment, Refund
from payment.store.tables import ledger_entries, refunds

# As many as one answer shows; a shop that gives back in a hundred parts has another problem.
SHOWN_MAX = 100


def add_entries(
    tx: Connection,
    payment: Payment,
    entries: Sequence[tuple[str, int]],
    refund_id: str | None = None,
) -> None:
    """entries: (account, signed minor units), summing to zero; the database insists."""
    tx.execute(
        insert(ledger_entries),
        [
            {
                "payment_id": payment.id,
                "refund_id": refund_id,
                "account": account,
                "amount_minor": amount_minor,
                "currency": payment.currency,
            }
            for account, amount_minor in entries
        ],
    )


def balance(tx: Connection, payment_id: str) -> Balance:
    """Lock the payment first if something is decided by it."""
    rows = tx.execute(
        select(ledger_entries.c.account, func.sum(ledger_entries.c.amount_minor).label("minor"))
        .where(ledger_entries.c.payment_id == payment_id)
        .group_by(ledger_entries.c.account)
    )
    sums = {row.account: int(row.minor) for row in rows}
    return Balance(sums.get("provider_receivable", 0), sums.get("refunds", 0))


def add_refund(tx: Connection, refund: Refund, requested_by: str | None = None) -> None:
    """The database refuses what exceeds the captured sum."""
    tx.execute(
        insert(refunds).values(
            id=refund.id,
            payment_id=refund.payment_id,
            return_id=refund.return_id,
            amount_minor=refund.amount_minor,
            reason=refund.reason,
            requested_by=requested_by,
        )
    )


def succeed(tx: Connection, refund_id: str, provider_refund_id: str) -> None:
    tx.execute(
        update(refunds)
        .where(refunds.c.id == refund_id)
        .values(provider_refund_id=provider_refund_id, succeeded_at=func.now())
    )


def refunds_of(tx: Connection, payment_id: str) -> list[Refund]:
    """All of them, oldest first. Lock the payment first if something is decided by it."""
    rows = tx.execute(
        select(refunds).where(refunds.c.payment_id == payment_id).order_by(refunds.c.id)
    )
    return [_refund(row) for row in rows]


def shown(tx: Connection, payment_id: str) -> list[tuple[Refund, datetime]]:
    """The latest of them with the moment that each was asked for, newest first."""
    rows = tx.execute(
        select(refunds)
        .where(refunds.c.payment_id == payment_id)
        .order_by(refunds.c.id.desc())
        .limit(SHOWN_MAX)
    )
    return [(_refund(row), row.created_at) for row in rows]


def _refund(row: Row[Any]) -> Refund:
    return Refund(
        id=row.id,
        payment_id=row.payment_id,
        amount_minor=row.amount_minor,
        reason=row.reason,
        return_id=row.return_id,
        succeeded=row.succeeded_at is not None,
        provider_refund_id=row.provider_refund_id,
    )
