from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from common.db import Database
from common.ids import new_id
from common.testing import AT_ONCE, analyze
from payment.domain import Operation, OperationKind, Payment, PaymentStatus
from payment.store import ledger, operations, payments
from sqlalchemy import text
from sqlalchemy.event import listen
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

LEASE_S = 10.0
RESEND_FOR_S = 3600.0


def _payment() -> Payment:
    return Payment(new_id(), new_id(), 1999, "USD", "pm_ok", PaymentStatus.INITIATED)


def _added(db: Database, count: int = 1, kind: OperationKind = OperationKind.AUTHORIZE) -> Payment:
    """So many payments with an operation each; the last of them."""
    with db.transaction() as tx:
        for _ in range(count):
            payment = _payment()
            payments.add(tx, payment)
            operations.add(tx, payment.id, kind)
    return payment


def _claimed(db: Database, limit: int = 100) -> list[Operation]:
    with db.transaction() as tx:
        return operations.claim(tx, limit, LEASE_S, RESEND_FOR_S)


def _enter(db: Database, payment: Payment, entries: Sequence[tuple[str, int]]) -> None:
    with db.transaction() as tx:
        ledger.add_entries(tx, payment, entries)


def test_a_payment_is_read_as_it_was_written(db: Database) -> None:
    payment = _payment()

    with db.transaction() as tx:
        assert payments.add(tx, payment)
        assert payments.get(tx, payment.order_id) == payment
        assert payments.find(tx, payment.order_id) == payment


def test_an_order_has_one_payment(db: Database) -> None:
    first = _payment()

    with db.transaction() as tx:
        payments.add(tx, first)
        assert not payments.add(tx, replace(_payment(), order_id=first.order_id))
        assert payments.find(tx, first.order_id) == first


def test_what_the_provider_said_is_kept(db: Database) -> None:
    payment = _added(db)
    declined = replace(
        payment,
        status=PaymentStatus.DECLINED,
        provider_payment_id="pay_1",
        decline_code="generic_decline",
        void_requested=True,
    )

    with db.transaction() as tx:
        payments.save(tx, declined)
        found = payments.find(tx, payment.order_id)

    assert found == declined


def test_an_order_that_nobody_heard_of_has_no_payment(db: Database) -> None:
    with db.transaction() as tx:
        assert payments.find(tx, new_id()) is None
        assert payments.get(tx, new_id()) is None


def test_a_payment_that_may_be_changed_is_nobody_elses_meanwhile(db: Database) -> None:
    payment = _added(db)

    with db.transaction() as mine, db.transaction() as other:
        payments.get(mine, payment.order_id)

        assert payments.find(other, payment.order_id) == payment
        other.execute(AT_ONCE)
        with pytest.raises(OperationalError, match="lock timeout"):
            payments.get(other, payment.order_id)
        other.rollback()


def test_each_kind_of_operation_is_asked_for_once(db: Database) -> None:
    payment = _added(db)

    with db.transaction() as tx:
        operations.add(tx, payment.id, OperationKind.AUTHORIZE)
        operations.add(tx, payment.id, OperationKind.VOID)

    assert sorted(operation.kind for operation in _claimed(db)) == ["authorize", "void"]


def test_what_was_asked_for_stays_asked_for_when_it_is_done(db: Database) -> None:
    payment = _added(db)
    (operation,) = _claimed(db)

    with db.transaction() as tx:
        operations.finish(tx, payment.id, [operation.kind])

        assert operations.is_asked(tx, payment.id, OperationKind.AUTHORIZE)
        assert not operations.is_asked(tx, payment.id, OperationKind.CAPTURE)


def test_a_claimed_operation_tells_all_that_the_provider_needs(db: Database) -> None:
    payment = _added(db)

    (operation,) = _claimed(db)

    assert operation.payment == payment
    assert (operation.kind, operation.attempts) == (OperationKind.AUTHORIZE, 1)


def test_a_claimed_operation_is_nobody_elses_until_the_lease_ends(db: Database) -> None:
    _added(db)
    (first,) = _claimed(db)

    assert _claimed(db) == []
    _pass(db, LEASE_S - 1)
    assert _claimed(db) == []
    _pass(db, 1)
    assert _claimed(db) == [replace(first, attempts=2)]


def test_a_claim_that_is_rolled_back_is_none(db: Database) -> None:
    _added(db)

    with db.engine.connect() as connection:
        assert len(operations.claim(connection, 1, LEASE_S, RESEND_FOR_S)) == 1
        connection.rollback()

    assert len(_claimed(db)) == 1


def test_a_worker_does_not_wait_for_what_another_is_claiming(db: Database) -> None:
    _added(db, count=3)

    with db.transaction() as mine:
        taken = operations.claim(mine, 1, LEASE_S, RESEND_FOR_S)
        others = _claimed(db)

    ids = [operation.id for operation in taken + others]
    assert len(taken) == 1
    assert len(set(ids)) == len(ids) == 3


def test_two_workers_never_claim_the_same_operation(db: Database) -> None:
    _added(db, count=60)
    start = Barrier(2)

    def work(_: int) -> list[str]:
        mine: list[str] = []
        start.wait()
        while batch := _claimed(db, limit=4):
            mine += [operation.id for operation in batch]
        return mine

    with ThreadPoolExecutor(2) as workers:
        first, second = workers.map(work, range(2))

    assert set(first) & set(second) == set()
    assert len(set(first + second)) == len(first + second) == 60


def test_who_has_waited_longest_is_claimed_first(db: Database) -> None:
    payments = [_added(db) for _ in range(3)]

    assert [_claimed(db, limit=1)[0].payment for _ in payments] == payments


def test_a_finished_operation_is_not_due_again(db: Database) -> None:
    payment = _added(db)
    (operation,) = _claimed(db)

    with db.transaction() as tx:
        assert operations.is_due(tx, operation.id)
        operations.finish(tx, payment.id, [OperationKind.AUTHORIZE])
        assert not operations.is_due(tx, operation.id)

    _pass(db, LEASE_S)
    assert _claimed(db) == []


def test_a_late_time_out_does_not_undo_that_it_is_done(db: Database) -> None:
    payment = _added(db)
    (operation,) = _claimed(db)

    with db.transaction() as tx:
        operations.finish(tx, payment.id, [OperationKind.AUTHORIZE])
        assert not operations.postpone(tx, operation.id, 0.0, outcome="unknown", error="late")
        last_error = tx.scalar(text("SELECT last_error FROM operations"))

    assert last_error is None
    assert _claimed(db) == []


def test_what_is_asked_for_anew_gets_a_key_of_its_own(db: Database) -> None:
    payment = _added(db, kind=OperationKind.VOID)
    (first,) = _claimed(db)

    with db.transaction() as tx:
        operations.add(tx, payment.id, OperationKind.VOID, again=True)  # It is due: nothing.
        operations.finish(tx, payment.id, [OperationKind.VOID])
        operations.add(tx, payment.id, OperationKind.VOID, again=True)

    (second,) = _claimed(db)
    assert second.id != first.id
    assert second.attempts == 1


def test_a_question_is_not_sent_again_once_its_key_may_be_forgotten(db: Database) -> None:
    _added(db)
    (operation,) = _claimed(db)
    assert operation.resendable

    with db.transaction() as tx:
        tx.execute(text("UPDATE operations SET first_attempt_at = now() - interval '2 hours'"))
    _pass(db, LEASE_S)

    (late,) = _claimed(db)
    assert late.id == operation.id
    assert not late.resendable


def test_a_postponed_operation_is_due_when_it_says(db: Database) -> None:
    _added(db)
    (operation,) = _claimed(db)

    with db.transaction() as tx:
        operations.postpone(tx, operation.id, 60.0, outcome="unknown", error="ReadTimeout")

    _pass(db, 59)
    assert _claimed(db) == []
    _pass(db, 1)
    assert [again.id for again in _claimed(db)] == [operation.id]


def test_a_list_of_payments_does_not_read_all_that_is_due_for_each(db: Database) -> None:
    with db.transaction() as tx:
        tx.execute(
            text(
                "INSERT INTO payments"
                " (id, order_id, amount_minor, currency, payment_method, status)"
                " SELECT gen_random_uuid(), gen_random_uuid(), 1999, 'USD', 'pm_ok', 'unknown'"
                " FROM generate_series(1, 3000)"
            )
        )
        tx.execute(
            text(
                "INSERT INTO operations (id, payment_id, kind)"
                " SELECT gen_random_uuid(), id, 'authorize' FROM payments"
            )
        )
    analyze(db, "payment.payments", "payment.operations")
    sent: list[tuple[str, Any]] = []

    with db.transaction() as tx:
        listen(tx, "before_cursor_execute", lambda *said: sent.append(said[2:4]))
        listed = payments.page(tx, None, 20, attention=False, attempts=10)
        [(statement, asked)] = sent
        plan = "\n".join(tx.exec_driver_sql(f"EXPLAIN {statement}", asked).scalars())

    assert [one.operation.kind for one in listed if one.operation] == ["authorize"] * 20
    assert "operations_due_by_payment" in plan
    assert "Seq Scan" not in plan


# --- The ledger


def test_entries_that_sum_to_zero_are_taken(db: Database) -> None:
    payment = _added(db)

    _enter(db, payment, [("provider_receivable", 1999), ("sales", -1999)])

    with db.transaction() as tx:
        assert tx.scalar(text("SELECT count(*) FROM ledger_entries")) == 2


@pytest.mark.parametrize(
    "entries",
    [
        [("provider_receivable", 1999)],
        [("provider_receivable", 1999), ("sales", -1998)],
        [("provider_receivable", 1999), ("sales", 1999)],
    ],
)
def test_the_database_refuses_unbalanced_entries_at_commit(
    db: Database, entries: list[tuple[str, int]]
) -> None:
    payment = _added(db)

    with db.engine.connect() as connection:
        ledger.add_entries(connection, payment, entries)  # Not refused yet.
        with pytest.raises(IntegrityError, match="do not sum to zero"):
            connection.commit()

    with db.transaction() as tx:
        assert tx.scalar(text("SELECT count(*) FROM ledger_entries")) == 0


def test_money_is_entered_as_taken_once(db: Database) -> None:
    payment = _added(db)
    entries = [("provider_receivable", 1999), ("sales", -1999)]
    _enter(db, payment, entries)

    with pytest.raises(IntegrityError, match="captured_once"):
        _enter(db, payment, entries)


def test_money_is_asked_to_be_taken_or_let_go_never_both(db: Database) -> None:
    payment = _added(db, kind=OperationKind.CAPTURE)

    with pytest.raises(IntegrityError, match="capture_or_void"), db.transaction() as tx:
        operations.add(tx, payment.id, OperationKind.VOID)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET amount_minor = 0",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
    ],
)
def test_the_service_may_only_add_to_the_ledger(db: Database, statement: str) -> None:
    _enter(db, _added(db), [("provider_receivable", 1999), ("sales", -1999)])

    with (
        pytest.raises(ProgrammingError, match="permission denied for table ledger_entries"),
        db.transaction() as tx,
    ):
        tx.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE payments SET status = 'paid'", "status_known"),
        ("UPDATE payments SET amount_minor = -1", "amount_not_negative"),
        ("UPDATE operations SET state = 'failed'", "state_known"),
        ("UPDATE operations SET kind = 'charge'", "kind_known"),
        ("UPDATE operations SET kind = 'refund'", "refund_named"),
        ("UPDATE operations SET outcome = 'good'", "outcome_known"),
    ],
)
def test_the_database_knows_the_words(db: Database, statement: str, constraint: str) -> None:
    _added(db)

    with pytest.raises(IntegrityError, match=constraint), db.transaction() as tx:
        tx.execute(text(statement))


def _pass(db: Database, seconds: float) -> None:
    """Time passes for the operations: everything is due that much sooner."""
    with db.transaction() as tx:
        tx.execute(
            text(
                "UPDATE operations"
                " SET next_attempt_at = next_attempt_at - make_interval(secs => :s)"
            ),
            {"s": seconds},
        )
