"""The comparison of our book with the provider's: when it is due, and what it found."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    ScalarSelect,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as pg_insert

from payment.domain import Balance, Payment
from payment.store.payments import COLUMNS, Place, payment_of
from payment.store.tables import differences, ledger_entries, payments, plan, runs


@dataclass(frozen=True, slots=True)
class Difference:
    """about: the provider's id of the payment, or ours. detail: a sentence for staff."""

    about: str
    kind: str
    detail: str
    order_id: str | None
    provider_payment_id: str | None
    id: int = 0
    found_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Booked:
    """What our book says of a payment. differs: whether a difference about it is open."""

    payment: Payment
    balance: Balance
    differs: bool


@dataclass(frozen=True, slots=True)
class Run:
    started_at: datetime
    finished_at: datetime | None
    compared: int
    healed: int
    differences: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Start:
    """Where a run begins. since: in the provider's book, by its clock. place: in ours, behind it.

    None of one: nothing was ever looked at there. cursor: where the provider's pages go on, if the
    run before did not come to their end.
    """

    since: datetime | None
    place: Place | None
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that is ours."""

    run_id: int
    step: int
    start: Start


def claim(tx: Connection, first_delay_s: float, lease_s: float) -> Claim | None:
    """A run, if one is due; nobody else's for *lease_s*. The very first is due after a while."""
    tx.execute(
        pg_insert(plan)
        .values(id=1, next_run_at=func.now() + timedelta(seconds=first_delay_s))
        .on_conflict_do_nothing()
    )
    taken = tx.execute(
        update(plan)
        .where(or_(plan.c.next_run_at.is_(None), plan.c.next_run_at <= func.now()))
        .values(next_run_at=func.now() + timedelta(seconds=lease_s))
        .returning(plan)
    ).one_or_none()
    if taken is None:
        return None
    run_id = tx.execute(insert(runs).returning(runs.c.id)).scalar_one()
    since = datetime.fromisoformat(taken.since) if taken.since else None
    place = Place(taken.changed_at, taken.payment_id) if taken.payment_id else None
    return Claim(run_id, taken.step, Start(since, place, taken.cursor))


def renew(tx: Connection, lease_s: float) -> None:
    """The run goes on: nobody else's for *lease_s* from now."""
    tx.execute(update(plan).values(next_run_at=func.now() + timedelta(seconds=lease_s)))


def finish(tx: Connection, run_id: int, *, compared: int, healed: int, differences: int) -> None:
    tx.execute(
        update(runs)
        .where(runs.c.id == run_id)
        .values(finished_at=func.now(), compared=compared, healed=healed, differences=differences)
    )


def fail(tx: Connection, run_id: int, error: str) -> None:
    tx.execute(update(runs).where(runs.c.id == run_id).values(finished_at=func.now(), error=error))


def schedule(tx: Connection, delay_s: float, step: int) -> None:
    """The next run is due in *delay_s* seconds."""
    tx.execute(update(plan).values(next_run_at=func.now() + timedelta(seconds=delay_s), step=step))


def start_at(tx: Connection, start: Start) -> None:
    """Where the next run begins."""
    changed_at, payment_id = start.place or (None, None)
    since = start.since.isoformat() if start.since else None
    tx.execute(
        update(plan).values(
            since=since, changed_at=changed_at, payment_id=payment_id, cursor=start.cursor
        )
    )


def last_run(tx: Connection) -> Run | None:
    """The last one that ended, well or not."""
    row = tx.execute(
        select(runs).where(runs.c.finished_at.is_not(None)).order_by(runs.c.id.desc()).limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Run(
        row.started_at, row.finished_at, row.compared, row.healed, row.differences, row.error
    )


def forget_runs(tx: Connection, keep: int) -> None:
    """All but the latest *keep*."""
    newest = select(runs.c.id).order_by(runs.c.id.desc()).offset(keep).limit(1).scalar_subquery()
    tx.execute(runs.delete().where(runs.c.id <= newest))


def booked(tx: Connection, order_ids: Collection[str]) -> dict[str, Booked]:
    """Payments by order, to look at only: one statement for any number of them."""
    differs = exists().where(
        differences.c.about == payments.c.provider_payment_id, differences.c.resolved_at.is_(None)
    )
    statement = select(
        *COLUMNS,
        _sum("provider_receivable").label("captured_minor"),
        _sum("refunds").label("refunded_minor"),
        differs.label("differs"),
    ).where(payments.c.order_id.in_(order_ids))
    return {
        row.order_id: Booked(
            payment_of(row),
            Balance(int(row.captured_minor), int(row.refunded_minor)),
            row.differs,
        )
        for row in tx.execute(statement)
    }


def _sum(account: str) -> ScalarSelect[Any]:
    return (
        select(func.coalesce(func.sum(ledger_entries.c.amount_minor), 0))
        .where(ledger_entries.c.payment_id == payments.c.id, ledger_entries.c.account == account)
        .scalar_subquery()
    )


def note(tx: Connection, difference: Difference) -> bool:
    """Whether it is new; one that is open already was seen once more."""
    statement = (
        pg_insert(differences)
        .values(
            about=difference.about,
            kind=difference.kind,
            detail=difference.detail,
            order_id=difference.order_id,
            provider_payment_id=difference.provider_payment_id,
        )
        .on_conflict_do_nothing(
            index_elements=["about", "kind"], index_where=text("resolved_at IS NULL")
        )
    )
    if tx.execute(statement).rowcount == 1:
        return True
    tx.execute(
        update(differences)
        .where(
            differences.c.about == difference.about,
            differences.c.kind == difference.kind,
            differences.c.resolved_at.is_(None),
        )
        .values(seen_at=func.now(), detail=difference.detail)
    )
    return False


def resolve(tx: Connection, about: str) -> int:
    """All that differed about it agrees now; how many differences that were."""
    statement = (
        update(differences)
        .where(differences.c.about == about, differences.c.resolved_at.is_(None))
        .values(resolved_at=func.now())
    )
    return tx.execute(statement).rowcount


def open_page(tx: Connection, after: int | None, limit: int) -> list[Difference]:
    """Open differences, oldest first, from behind the one with the id *after*."""
    statement = (
        select(differences)
        .where(differences.c.resolved_at.is_(None))
        .order_by(differences.c.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(differences.c.id > after)
    return [_difference(row) for row in tx.execute(statement)]


def count_open(tx: Connection) -> dict[str, int]:
    rows = tx.execute(
        select(differences.c.kind, func.count().label("open"))
        .where(differences.c.resolved_at.is_(None))
        .group_by(differences.c.kind)
    )
    return {row.kind: row.open for row in rows}


def _difference(row: Row[Any]) -> Difference:
    return Difference(
        row.about,
        row.kind,
        row.detail,
        row.order_id,
        row.provider_payment_id,
        row.id,
        row.found_at,
    )
