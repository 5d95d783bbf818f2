"""Around the call to the provider: crashes, time-outs, two workers. Nothing is asked twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import TYPE_CHECKING

import httpx
import pytest
from common.db import Database
from common.errors import IllegalTransition
from common.ids import new_id
from common.testing import until_a_session_waits
from payment.clients import OutcomeUnknown, PaymentProvider
from payment.domain import Fact, Operation, PaymentNotFound, PaymentStatus
from payment.use_cases import operations, payments
from sqlalchemy import text

if TYPE_CHECKING:
    from conftest import Checkout, FakeProvider

# More than a day of asking once a minute.
ATTEMPTS = 5000
LEASE_S = operations.LEASE_S
# On a busy machine a step takes longer than the half second that our statements wait for a lock.
WITHIN_S = 20


def _apply(db: Database, operation: Operation, fact: Fact) -> None:
    with db.transaction() as tx:
        operations.take(tx, operation, fact)


def _claim(db: Database) -> Operation:
    with db.transaction() as tx:
        (operation,) = operations.claim(tx, limit=20)
    return operation


def _timed_out() -> httpx.Response:
    raise httpx.ReadTimeout("no answer")


# --- The worker is killed


def test_a_worker_killed_before_the_handlers_commit_asked_nothing(
    db: Database, checkout: "Checkout"
) -> None:
    with db.engine.connect() as connection:
        payments.initiate(connection, checkout.order_id, 1999, "USD", "pm_ok")
        connection.rollback()

    assert checkout.operations == []
    with pytest.raises(PaymentNotFound):
        _ = checkout.payment


def test_a_worker_killed_before_the_call_leaves_it_to_the_next(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    claimed = _claim(db)  # And here the worker dies.

    assert checkout.work() == 0
    checkout.wait(LEASE_S)
    assert checkout.work() == 1

    assert provider.keys == [claimed.id]
    assert checkout.told() == ["payment.authorized"]


def test_a_worker_killed_after_the_call_is_followed_by_one_that_hears_the_same(
    db: Database, checkout: "Checkout", provider: "FakeProvider", provider_client: PaymentProvider
) -> None:
    checkout.hear(checkout.reserved())
    provider_client.perform(_claim(db))  # And here the worker dies.

    assert checkout.told() == []
    checkout.wait(LEASE_S)
    checkout.work()

    first, second = provider.keys
    assert first == second
    assert provider.statuses == {"pay_1": "authorized"}
    assert checkout.told() == ["payment.authorized"]


def test_a_worker_killed_before_the_answer_is_committed_applied_nothing(
    db: Database, checkout: "Checkout", provider: "FakeProvider", provider_client: PaymentProvider
) -> None:
    checkout.hear(checkout.reserved())
    operation = _claim(db)
    with db.engine.connect() as connection:
        operations.take(connection, operation, provider_client.perform(operation))
        connection.rollback()

    assert checkout.told() == []
    checkout.wait(LEASE_S)
    checkout.work()

    assert checkout.payment.status is PaymentStatus.AUTHORIZED
    assert provider.statuses == {"pay_1": "authorized"}


def test_a_worker_killed_around_the_capture_takes_the_money_once(
    db: Database, checkout: "Checkout", provider: "FakeProvider", provider_client: PaymentProvider
) -> None:
    checkout.hear(checkout.reserved())
    checkout.work()
    checkout.hear(checkout.confirmed())
    provider_client.perform(_claim(db))  # And here the worker dies.

    checkout.wait(LEASE_S)
    checkout.work()

    assert provider.keys[1] == provider.keys[2]
    assert checkout.told() == ["payment.authorized", "payment.captured"]
    assert [amount for _, amount, _ in checkout.ledger] == [1999, -1999]


# --- Two workers, one answer


def test_a_slow_worker_whose_call_another_made_meanwhile_changes_nothing(
    db: Database, checkout: "Checkout", provider_client: PaymentProvider
) -> None:
    checkout.hear(checkout.reserved())
    slow = _claim(db)
    fact = provider_client.perform(slow)
    checkout.wait(LEASE_S)
    checkout.work()
    checkout.hear(checkout.confirmed())
    checkout.work()

    _apply(db, slow, fact)

    assert checkout.payment.status is PaymentStatus.CAPTURED
    assert checkout.told() == ["payment.authorized", "payment.captured"]


def test_a_slow_worker_that_heard_nothing_does_not_bring_back_what_is_done(
    db: Database, checkout: "Checkout"
) -> None:
    checkout.hear(checkout.reserved())
    slow = _claim(db)
    checkout.wait(LEASE_S)
    checkout.work()

    with db.transaction() as tx:
        operations.postpone(tx, slow, OutcomeUnknown("ReadTimeout"))

    (operation,) = checkout.operations
    assert (operation["state"], operation["last_error"]) == ("done", None)


def test_an_answer_that_two_workers_apply_at_once_counts_once(
    db: Database, checkout: "Checkout", provider_client: PaymentProvider
) -> None:
    checkout.hear(checkout.reserved())
    checkout.work()
    checkout.hear(checkout.confirmed())
    operation = _claim(db)
    fact = provider_client.perform(operation)
    start = Barrier(2)

    def apply(_: int) -> None:
        start.wait()
        _apply(db, operation, fact)

    with ThreadPoolExecutor(2) as workers:
        list(workers.map(apply, range(2)))

    assert checkout.told() == ["payment.authorized", "payment.captured"]
    assert len(checkout.ledger) == 2


def test_a_cancellation_waits_for_the_answer_that_is_being_applied(
    db: Database, checkout: "Checkout", provider: "FakeProvider", provider_client: PaymentProvider
) -> None:
    """Whoever comes second knows what the first has done: no hold is forgotten."""
    checkout.hear(checkout.reserved())
    operation = _claim(db)
    fact = provider_client.perform(operation)

    def cancel() -> None:
        with db.transaction() as tx:
            tx.execute(text(f"SET LOCAL lock_timeout = '{WITHIN_S}s'"))
            tx.execute(text(f"SET LOCAL statement_timeout = '{WITHIN_S}s'"))
            payments.cancel(tx, checkout.order_id)

    with ThreadPoolExecutor(1) as other, db.transaction() as tx:
        operations.take(tx, operation, fact)
        cancelling = other.submit(cancel)
        until_a_session_waits(tx)
        tx.commit()
        cancelling.result(timeout=WITHIN_S)
    checkout.work()

    assert checkout.told()[-1] == "payment.voided"
    assert provider.statuses == {"pay_1": "voided"}


# --- The provider does not answer


@pytest.mark.parametrize("failure", [_timed_out, lambda: httpx.Response(503)])
def test_an_unknown_outcome_is_asked_for_again_with_the_same_key(
    checkout: "Checkout", provider: "FakeProvider", failure: Callable[[], httpx.Response]
) -> None:
    provider.before = [failure, failure]
    checkout.hear(checkout.reserved())

    for _ in range(3):
        assert checkout.told() == []
        assert checkout.work() == 1
        checkout.wait(60)

    assert len(provider.keys) == 3
    assert len(set(provider.keys)) == 1
    assert checkout.told() == ["payment.authorized"]
    assert checkout.operations[0]["attempts"] == 3


def test_an_answer_that_was_lost_is_heard_at_the_second_time_of_asking(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    provider.after = [_timed_out]
    checkout.hear(checkout.reserved())
    checkout.work()

    assert checkout.payment.status is PaymentStatus.UNKNOWN
    assert provider.statuses == {"pay_1": "authorized"}
    checkout.wait(60)
    checkout.work()

    assert checkout.payment.provider_payment_id == "pay_1"
    assert provider.statuses == {"pay_1": "authorized"}


def test_an_unknown_outcome_is_not_asked_for_at_once(
    monkeypatch: pytest.MonkeyPatch, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    monkeypatch.setattr(operations, "RETRY_S", 60.0)  # Longer than any machine takes here.
    provider.before = [_timed_out]
    checkout.hear(checkout.reserved())
    checkout.work()

    assert checkout.work() == 0
    (operation,) = checkout.operations
    assert operation["state"] == "due"
    assert operation["last_error"] == "OutcomeUnknown: ReadTimeout"


@pytest.mark.parametrize(
    ("attempts", "shortest_s", "longest_s"),
    [(1, 0.25, 0.5), (2, 0.5, 1), (3, 1, 2), (7, 16, 32), (8, 30, 60), (ATTEMPTS, 30, 60)],
)
def test_pauses_double_up_to_a_minute(
    db: Database, checkout: "Checkout", attempts: int, shortest_s: float, longest_s: float
) -> None:
    checkout.hear(checkout.reserved())
    operation = replace(_claim(db), attempts=attempts)

    with db.transaction() as tx:
        operations.postpone(tx, operation, OutcomeUnknown("ReadTimeout"))
        pause_s = tx.scalar(
            text("SELECT extract(epoch FROM next_attempt_at - now())::float FROM operations")
        )

    assert pause_s is not None
    assert shortest_s <= pause_s <= longest_s


# --- Answers that fit no question


def test_an_answer_to_another_question_changes_nothing(
    db: Database, checkout: "Checkout", provider_client: PaymentProvider
) -> None:
    checkout.hear(checkout.reserved())
    checkout.work()
    checkout.hear(checkout.confirmed())
    operation = _claim(db)

    with pytest.raises(IllegalTransition):
        _apply(db, operation, Fact("pay_1", PaymentStatus.AUTHORIZED))

    assert checkout.payment.status is PaymentStatus.AUTHORIZED
    assert checkout.operations[-1]["state"] == "due"
    assert checkout.ledger == []


def test_a_payment_that_nobody_asked_for_is_not_found(db: Database) -> None:
    with pytest.raises(PaymentNotFound), db.transaction() as tx:
        payments.payment_of(tx, new_id())
