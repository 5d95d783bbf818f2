"""Payments, operations and the ledger in PostgreSQL. Knows SQL and `domain`; decides nothing."""

from collections.abc import Sequence
from typing import Any

from common import tracing
from common.ids import new_id
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.dialects.postgresql import insert as pg_insert

from payment.domain import Operation, OperationKind, Payment, PaymentStatus

metadata = MetaData()

payments = Table(
    "payments",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("order_id", UUID(as_uuid=False), nullable=False, unique=True),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("payment_method", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("void_requested", Boolean, nullable=False),
    Column("provider_payment_id", Text),
    Column("decline_code", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
operations = Table(
    "operations",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("payment_id", UUID(as_uuid=False), nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False),
    Column("last_error", Text),
    Column("traceparent", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("done_at", DateTime(timezone=True)),
)
ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("payment_id", UUID(as_uuid=False), nullable=False),
    Column("account", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
)

_PAYMENT_COLUMNS = (
    payments.c.id,
    payments.c.order_id,
    payments.c.amount_minor,
    payments.c.currency,
    payments.c.payment_method,
    payments.c.status,
    payments.c.void_requested,
    payments.c.provider_payment_id,
    payments.c.decline_code,
)


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
        )
        .on_conflict_do_nothing(index_elements=["order_id"])
    )
    return tx.execute(statement).rowcount == 1


def get(tx: Connection, order_id: str) -> Payment | None:
    """The order's payment, its row locked until the transaction ends."""
    row = tx.execute(
        select(*_PAYMENT_COLUMNS).where(payments.c.order_id == order_id).with_for_update()
    ).one_or_none()
    return _payment(row) if row else None


def find(tx: Connection, order_id: str) -> Payment | None:
    """The order's payment, to look at only."""
    row = tx.execute(select(*_PAYMENT_COLUMNS).where(payments.c.order_id == order_id)).one_or_none()
    return _payment(row) if row else None


def request_void(tx: Connection, payment_id: str) -> None:
    tx.execute(update(payments).where(payments.c.id == payment_id).values(void_requested=True))


def save(tx: Connection, payment: Payment) -> None:
    """What the provider's answer made of it."""
    tx.execute(
        update(payments)
        .where(payments.c.id == payment.id)
        .values(
            status=payment.status,
            provider_payment_id=payment.provider_payment_id,
            decline_code=payment.decline_code,
            updated_at=func.now(),
        )
    )


def add_operation(tx: Connection, payment_id: str, kind: OperationKind) -> None:
    """Once a kind and payment; it remembers the trace in which it was asked for."""
    tx.execute(
        pg_insert(operations)
        .values(
            id=new_id(),
            payment_id=payment_id,
            kind=kind,
            traceparent=tracing.current_traceparent(),
        )
        .on_conflict_do_nothing(constraint="one_operation_of_a_kind")
    )


def is_asked(tx: Connection, payment_id: str, kind: OperationKind) -> bool:
    """Whether *kind* was ever asked for. Lock the payment first, or the answer may be old."""
    asked = select(operations.c.id).where(
        operations.c.payment_id == payment_id, operations.c.kind == kind
    )
    return tx.execute(asked).first() is not None


def claim_operations(tx: Connection, limit: int, lease_s: float) -> list[Operation]:
    """Due operations, oldest first, not due again for *lease_s* even if we die meanwhile."""
    due = (
        select(operations.c.id)
        .where(operations.c.state == "due", operations.c.next_attempt_at <= func.now())
        .order_by(operations.c.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    claimed = (
        update(operations)
        .where(operations.c.id == due.c.id, operations.c.payment_id == payments.c.id)
        .values(
            attempts=operations.c.attempts + 1,
            next_attempt_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_s),
        )
        .returning(
            operations.c.id.label("operation_id"),
            operations.c.kind,
            operations.c.attempts,
            operations.c.traceparent,
            *_PAYMENT_COLUMNS,
        )
    )
    return [
        Operation(
            row.operation_id,
            _payment(row),
            OperationKind(row.kind),
            row.attempts,
            row.traceparent,
        )
        for row in tx.execute(claimed)
    ]


def finish_operation(tx: Connection, operation_id: str) -> bool:
    """Whether it was still due: False means that somebody else applied its answer."""
    statement = (
        update(operations)
        .where(operations.c.id == operation_id, operations.c.state == "due")
        .values(state="done", done_at=func.now(), last_error=None)
    )
    return tx.execute(statement).rowcount == 1


def postpone_operation(tx: Connection, operation_id: str, delay_s: float, error: str) -> None:
    tx.execute(
        update(operations)
        .where(operations.c.id == operation_id, operations.c.state == "due")
        .values(
            next_attempt_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, delay_s),
            last_error=error,
        )
    )


def add_ledger_entries(
    tx: Connection, payment: Payment, entries: Sequence[tuple[str, int]]
) -> None:
    """entries: (account, signed minor units), summing to zero; the database insists."""
    tx.execute(
        insert(ledger_entries),
        [
            {
                "payment_id": payment.id,
                "account": account,
                "amount_minor": amount_minor,
                "currency": payment.currency,
            }
            for account, amount_minor in entries
        ],
    )


def _payment(row: Any) -> Payment:
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
    )
