"""Payments: one row an order, whose lock decides who changes it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from payment.domain import Action, Payment, PaymentStatus
from payment.store.tables import operations, payments

# So long the provider's news of a change may be on its way: until then there is nothing to ask.
NEWS_TAKES = timedelta(seconds=10)
COLUMNS = (
    payments.c.id,
    payments.c.order_id,
    payments.c.amount_minor,
    payments.c.currency,
    payments.c.payment_method,
    payments.c.status,
    payments.c.void_requested,
    payments.c.provider_payment_id,
    payments.c.decline_code,
    payments.c.customer_id,
    payments.c.action_url,
    payments.c.action_expires_at,
    payments.c.traceparent,
)


@dataclass(frozen=True, slots=True)
class WaitingOperation:
    """What is still to be asked of the provider, as staff see it."""

    kind: str
    attempts: int
    outcome: str | None
    last_error: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    payment: Payment
    created_at: datetime
    updated_at: datetime
    operation: WaitingOperation | None = None


class Place(NamedTuple):
    """Of a payment among ours, in the order in which they changed, by our clock."""

    changed_at: datetime
    payment_id: str = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Changed:
    """A payment that the provider should know."""

    place: Place
    order_id: str
    provider_payment_id: str


def add(tx: Connection, payment: Payment) -> bool:
    """Whether *payment* is the first for its order; if not, nothing was written."""
    statement = (
        pg_insert(payments)
        .values(
            id=payment.id,
            order_id=payment.order_id,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            payment_method=payment.payment_method,
            status=payment.status,
            void_requested=payment.void_requested,
            customer_id=payment.customer_id,
            traceparent=payment.traceparent,
        )
        .on_conflict_do_nothing(index_elements=["order_id"])
    )
    return tx.execute(statement).rowcount == 1


def get(tx: Connection, order_id: str) -> Payment | None:
    """The order's payment, its row locked until the transaction ends."""
    row = tx.execute(
        select(*COLUMNS).where(payments.c.order_id == order_id).with_for_update()
    ).one_or_none()
    return payment_of(row) if row else None


def find(tx: Connection, order_id: str) -> Payment | None:
    """The order's payment, to look at only."""
    row = tx.execute(select(*COLUMNS).where(payments.c.order_id == order_id)).one_or_none()
    return payment_of(row) if row else None


def listed(tx: Connection, order_id: str) -> Listed | None:
    """The order's payment with its times, to look at only."""
    row = tx.execute(
        select(*COLUMNS, payments.c.created_at, payments.c.updated_at).where(
            payments.c.order_id == order_id
        )
    ).one_or_none()
    return Listed(payment_of(row), row.created_at, row.updated_at) if row else None


def page(
    tx: Connection, before: str | None, limit: int, *, attention: bool, attempts: int
) -> list[Listed]:
    """Newest first, each with what it waits for.

    before: the payment's id that the page before ended with. attention: only those of which the
    provider refused a question, or left one open for so many *attempts*.
    """
    waiting = operations.c.state == "due"
    others = operations.alias()
    # The oldest of several refunds stands for all.
    oldest = (
        select(others.c.id)
        .where(others.c.payment_id == payments.c.id, others.c.state == "due")
        .order_by(others.c.id)
        .limit(1)
        .scalar_subquery()
    )
    statement = (
        select(
            *COLUMNS,
            payments.c.created_at,
            payments.c.updated_at,
            operations.c.kind,
            operations.c.attempts,
            operations.c.outcome,
            operations.c.last_error,
            operations.c.created_at.label("since"),
        )
        .select_from(payments.outerjoin(operations, operations.c.id == oldest))
        .order_by(payments.c.id.desc())
        .limit(limit)
    )
    if before:
        statement = statement.where(payments.c.id < before)
    if attention:
        stuck = (operations.c.outcome == "refused") | (operations.c.attempts >= attempts)
        statement = statement.where(
            payments.c.id.in_(select(operations.c.payment_id).where(waiting & stuck))
        )
    return [_listed(row) for row in tx.execute(statement)]


def save(tx: Connection, payment: Payment) -> None:
    """What the provider's facts, or a cancellation, made of it."""
    action = payment.action
    tx.execute(
        update(payments)
        .where(payments.c.id == payment.id)
        .values(
            status=payment.status,
            void_requested=payment.void_requested,
            provider_payment_id=payment.provider_payment_id,
            decline_code=payment.decline_code,
            action_url=action.url if action else None,
            action_expires_at=action.expires_at if action else None,
            updated_at=func.now(),
        )
    )


def name_owner(tx: Connection, payment: Payment, customer_id: str) -> None:
    """Of a payment that did not know whose it is: a tombstone, or one from before we asked."""
    tx.execute(
        update(payments)
        .where(payments.c.id == payment.id, payments.c.customer_id.is_(None))
        .values(customer_id=customer_id)
    )


def changed_after(
    tx: Connection, place: Place, until: datetime | None, limit: int
) -> list[Changed]:
    """What changed after *place*, in that order, but not just now: its news may be on its way.

    until: nothing that changed later.
    """
    by_change = tuple_(payments.c.updated_at, payments.c.id)
    statement = (
        select(
            payments.c.updated_at,
            payments.c.id,
            payments.c.order_id,
            payments.c.provider_payment_id,
        )
        .where(
            by_change > (place.changed_at, place.payment_id),
            payments.c.updated_at < func.now() - NEWS_TAKES,
            payments.c.provider_payment_id.is_not(None),
        )
        .order_by(payments.c.updated_at, payments.c.id)
        .limit(limit)
    )
    if until:
        statement = statement.where(payments.c.updated_at <= until)
    return [
        Changed(Place(row.updated_at, row.id), row.order_id, row.provider_payment_id)
        for row in tx.execute(statement)
    ]


def payment_of(row: Any) -> Payment:
    return Payment(
        id=row.id,
        order_id=row.order_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        payment_method=row.payment_method,
        status=PaymentStatus(row.status),
        void_requested=row.void_requested,
        provider_payment_id=row.provider_payment_id,
        decline_code=row.decline_code,
        customer_id=row.customer_id,
        action=Action(row.action_url, row.action_expires_at) if row.action_url else None,
        traceparent=row.traceparent,
    )


def _listed(row: Any) -> Listed:
    waiting = (
        WaitingOperation(row.kind, row.attempts, row.outcome, row.last_error, row.since)
        if row.kind
        else None
    )
    return Listed(payment_of(row), row.created_at, row.updated_at, waiting)
