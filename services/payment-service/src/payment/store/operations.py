"""Operations: what is to be asked of the provider, before it is asked (ADR-0007)."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from common import tracing
from common.db import wake
from common.ids import new_id
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Interval,
    bindparam,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.sql.dml import ReturningUpdate

from payment.domain import Operation, OperationKind, Refund
from payment.store.payments import COLUMNS, payment_of
from payment.store.tables import operations, payments, refunds


def _claim() -> ReturningUpdate[Any]:
    due = (
        select(operations.c.id)
        .where(operations.c.state == "due", operations.c.next_attempt_at <= func.now())
        .order_by(operations.c.next_attempt_at)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    resendable_since = func.now() - bindparam("resend_for", type_=Interval)
    return (
        update(operations)
        .where(operations.c.id == due.c.id, operations.c.payment_id == payments.c.id)
        .values(
            attempts=operations.c.attempts + 1,
            first_attempt_at=func.coalesce(operations.c.first_attempt_at, func.now()),
            next_attempt_at=func.now() + bindparam("lease", type_=Interval),
        )
        .returning(
            operations.c.id.label("operation_id"),
            operations.c.kind,
            operations.c.refund_id,
            operations.c.attempts,
            operations.c.traceparent.label("asked_in"),
            (operations.c.first_attempt_at > resendable_since).label("resendable"),
            *COLUMNS,
        )
    )


# The loop that claims them.
LOOP = "operations"
# Asked for many times a second: made once, because to make it costs more than to ask.
_CLAIM = _claim()


def add(
    tx: Connection,
    payment_id: str,
    kind: OperationKind,
    *,
    refund_id: str | None = None,
    traceparent: str | None = None,
    again: bool = False,
) -> None:
    """Once a kind and payment, or a refund; it remembers the trace in which it was asked for.

    again: even if it was done with before; as a new question then, with a key of its own.
    """
    values = {
        "id": new_id(),
        "payment_id": payment_id,
        "kind": kind,
        "refund_id": refund_id,
        "traceparent": tracing.current_traceparent() or traceparent,
    }
    statement = pg_insert(operations).values(**values)
    # Only what it says twice: a second capture beside a void is a mistake, and is refused.
    once: dict[str, Any] = {
        "index_elements": ["payment_id", "kind"],
        "index_where": text("kind <> 'refund'"),
    }
    if again:
        fresh = {"state": "due", "attempts": 0, "first_attempt_at": None, "done_at": None}
        statement = statement.on_conflict_do_update(
            **once,
            set_={"id": values["id"], **fresh, "next_attempt_at": func.now()},
            where=operations.c.state == "done",
        )
    else:
        statement = statement.on_conflict_do_nothing(**once)
    if tx.execute(statement).rowcount:
        wake(tx, LOOP)


def is_asked(tx: Connection, payment_id: str, kind: OperationKind) -> bool:
    """Whether *kind* was ever asked for. Lock the payment first, or the answer may be old."""
    asked = select(operations.c.id).where(
        operations.c.payment_id == payment_id, operations.c.kind == kind
    )
    return tx.execute(asked).first() is not None


def claim(tx: Connection, limit: int, lease_s: float, resend_for_s: float) -> list[Operation]:
    """Due operations, oldest first, not due again for *lease_s* even if we die meanwhile.

    resend_for_s: how long after the first attempt one is still `resendable`.
    """
    given = {
        "most": limit,
        "lease": timedelta(seconds=lease_s),
        "resend_for": timedelta(seconds=resend_for_s),
    }
    rows = tx.execute(_CLAIM, given).all()
    asked = _refunds(tx, [row.refund_id for row in rows if row.refund_id])
    return [
        Operation(
            row.operation_id,
            payment_of(row),
            OperationKind(row.kind),
            row.attempts,
            row.asked_in,
            asked.get(row.refund_id),
            row.resendable,
        )
        for row in rows
    ]


def is_due(tx: Connection, operation_id: str) -> bool:
    found = select(operations.c.id).where(
        operations.c.id == operation_id, operations.c.state == "due"
    )
    return tx.execute(found).first() is not None


def is_anything_due(tx: Connection, payment_id: str) -> bool:
    found = select(operations.c.id).where(
        operations.c.payment_id == payment_id, operations.c.state == "due"
    )
    return tx.execute(found).first() is not None


def finish(tx: Connection, payment_id: str, kinds: Collection[OperationKind]) -> None:
    """Nothing of these *kinds* has to be asked any more."""
    if kinds:
        _finish(tx, (operations.c.payment_id == payment_id) & operations.c.kind.in_(kinds))


def finish_refund(tx: Connection, refund_id: str) -> None:
    _finish(tx, operations.c.refund_id == refund_id)


def withdraw_unsent(tx: Connection, payment_id: str, kind: OperationKind) -> bool:
    """Whether *kind* was due and never begun: then it never will be."""
    statement = (
        update(operations)
        .where(
            operations.c.payment_id == payment_id,
            operations.c.kind == kind,
            operations.c.state == "due",
            operations.c.attempts == 0,
        )
        .values(state="done", done_at=func.now())
    )
    return tx.execute(statement).rowcount == 1


def postpone(
    tx: Connection, operation_id: str, delay_s: float, *, outcome: str, error: str
) -> bool:
    """Whether it is still due; then not before *delay_s* have passed.

    outcome: `unknown`, or `refused` if the provider says that the question is wrong.
    """
    statement = (
        update(operations)
        .where(operations.c.id == operation_id, operations.c.state == "due")
        .values(
            next_attempt_at=func.now() + timedelta(seconds=delay_s),
            outcome=outcome,
            last_error=error,
        )
    )
    return tx.execute(statement).rowcount == 1


def count_waiting(tx: Connection) -> dict[str, int]:
    """How many are due that were asked already, by what became of it: unknown, refused."""
    rows = tx.execute(
        select(operations.c.outcome, func.count().label("waiting"))
        .where(operations.c.state == "due", operations.c.outcome.is_not(None))
        .group_by(operations.c.outcome)
    )
    return {row.outcome: row.waiting for row in rows}


def _finish(tx: Connection, which: ColumnElement[bool]) -> None:
    tx.execute(
        update(operations)
        .where(which, operations.c.state == "due")
        .values(state="done", done_at=func.now(), last_error=None, outcome=None)
    )


def _refunds(tx: Connection, ids: list[str]) -> dict[str | None, Refund]:
    if not ids:
        return {}
    rows = tx.execute(select(refunds).where(refunds.c.id.in_(ids)))
    return {
        row.id: Refund(row.id, row.payment_id, row.amount_minor, row.reason, row.return_id)
        for row in rows
    }
