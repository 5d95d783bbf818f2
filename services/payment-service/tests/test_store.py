from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from common.db import Database
from common.ids import new_id
from payment import store
from payment.domain import Operation, OperationKind, Payment, PaymentStatus
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

LEASE_S = 10.0


def _payment() -> Payment:
    return Payment(new_id(), new_id(), 1999, "USD", "pm_ok", PaymentStatus.INITIATED)


def _added(db: Database, count: int = 1, kind: OperationKind = OperationKind.AUTHORIZE) -> Payment:
    """So many payments with an operation each; the last of them."""
    with db.transaction() as tx:
        for _ in range(count):
            payment = _payment()
            store.add(tx, payment)
            store.add_operation(tx, payment.id, kind)
    return payment


def _claimed(db: Database, limit: int = 100) -> list[Operation]:
    with db.transaction() as tx:
        return store.claim_operations(tx, limit, LEASE_S)


def _enter(db: Database, payment: Payment, entries: Sequence[tuple[str, int]]) -> None:
    with db.transaction() as tx:
        store.add_ledger_entries(tx, payment, entries)


def test_a_payment_is_read_as_it_was_written(db: Database) -> None:
    payment = _payment()

    with db.transaction() as tx:
        assert store.add(tx, payment)
        assert store.get(tx, payment.order_id) == payment
        assert store.find(tx, payment.order_id) == payment


def test_an_order_has_one_payment(db: Database) -> None:
    first = _payment()

    with db.transaction() as tx:
        store.add(tx, first)
        assert not store.add(tx, replace(_payment(), order_id=first.order_id))
        assert store.find(tx, first.order_id) == first


def test_what_the_provider_said_is_kept(db: Database) -> None:
    payment = _added(db)
    declined = replace(
        payment,
        status=PaymentStatus.DECLINED,
        provider_payment_id="pay_1",
        decline_code="generic_decline",
    )

    with db.transaction() as tx:
        store.save(tx, declined)
        store.request_void(tx, payment.id)
        found = store.find(tx, payment.order_id)

    assert found == replace(declined, void_requested=True)


def test_an_order_that_nobody_heard_of_has_no_payment(db: Database) -> None:
    with db.transaction() as tx:
        assert store.find(tx, new_id()) is None
        assert store.get(tx, new_id()) is None


def test_a_payment_that_may_be_changed_is_nobody_elses_meanwhile(db: Database) -> None:
    payment = _added(db)

    with db.transaction() as mine, db.transaction() as other:
        store.get(mine, payment.order_id)

        assert store.find(other, payment.order_id) == payment
        with pytest.raises(OperationalError, match="lock timeout"):
            store.get(other, payment.order_id)
        other.rollback()


def test_each_kind_of_operation_is_asked_for_once(db: Database) -> None:
    payment = _added(db)

    with db.transaction() as tx:
        store.add_operation(tx, payment.id, OperationKind.AUTHORIZE)
        store.add_operation(tx, payment.id, OperationKind.VOID)

    assert sorted(operation.kind for operation in _claimed(db)) == ["authorize", "void"]


def test_what_was_asked_for_stays_asked_for_when_it_is_done(db: Database) -> None:
    payment = _added(db)
    (operation,) = _claimed(db)

    with db.transaction() as tx:
        store.finish_operation(tx, operation.id)

        assert store.is_asked(tx, payment.id, OperationKind.AUTHORIZE)
        assert not store.is_asked(tx, payment.id, OperationKind.CAPTURE)


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
        assert len(store.claim_operations(connection, 1, LEASE_S)) == 1
        connection.rollback()

    assert len(_claimed(db)) == 1


def test_a_worker_does_not_wait_for_what_another_is_claiming(db: Database) -> None:
    _added(db, count=3)

    with db.transaction() as mine:
        taken = store.claim_operations(mine, 1, LEASE_S)
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


def test_an_operation_is_finished_once(db: Database) -> None:
    _added(db)
    (operation,) = _claimed(db)

    with db.transaction() as tx:
        assert store.finish_operation(tx, operation.id)
        assert not store.finish_operation(tx, operation.id)

    _pass(db, LEASE_S)
    assert _claimed(db) == []


def test_a_late_time_out_does_not_undo_that_it_is_done(db: Database) -> None:
    _added(db)
    (operation,) = _claimed(db)

    with db.transaction() as tx:
        store.finish_operation(tx, operation.id)
        store.postpone_operation(tx, operation.id, 0.0, "ReadTimeout")
        last_error = tx.scalar(text("SELECT last_error FROM operations"))

    assert last_error is None
    assert _claimed(db) == []


def test_a_postponed_operation_is_due_when_it_says(db: Database) -> None:
    _added(db)
    (operation,) = _claimed(db)

    with db.transaction() as tx:
        store.postpone_operation(tx, operation.id, 60.0, "ReadTimeout")

    _pass(db, 59)
    assert _claimed(db) == []
    _pass(db, 1)
    assert [again.id for again in _claimed(db)] == [operation.id]


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
        store.add_ledger_entries(connection, payment, entries)  # Not refused yet.
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
        store.add_operation(tx, payment.id, OperationKind.VOID)


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
        ("UPDATE payments SET status = 'refunded'", "status_known"),
        ("UPDATE payments SET amount_minor = -1", "amount_not_negative"),
        ("UPDATE operations SET state = 'failed'", "state_known"),
        ("UPDATE operations SET kind = 'refund'", "kind_known"),
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
