"""Money back: once a return, never more than was taken, however many ask at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from common.db import Database
from common.ids import new_id
from payment.domain import PaymentStatus, Refund, RefundTooLarge
from payment.store import ledger
from payment.use_cases import operations, refunds
from sqlalchemy.exc import IntegrityError

if TYPE_CHECKING:
    from conftest import Checkout, FakeProvider

RACES = 10


@pytest.fixture
def captured(checkout: "Checkout") -> "Checkout":
    checkout.hear(checkout.reserved())
    checkout.work()
    checkout.hear(checkout.confirmed())
    checkout.work()
    return checkout


def test_a_return_is_paid_back(captured: "Checkout", provider: "FakeProvider") -> None:
    return_id = new_id()

    captured.hear(captured.returned(500, return_id))
    captured.work()

    assert captured.told()[2:] == ["payment.refunded"]
    assert captured.answers()[-1] == {
        "amount_minor": 500, "currency": "USD", "reason": "returned",
    }  # fmt: skip
    assert captured.payment.status is PaymentStatus.PARTIALLY_REFUNDED
    assert captured.ledger[2:] == [("refunds", 500, "USD"), ("provider_payable", -500, "USD")]
    assert provider.refunds["pay_1"][0]["reference"] == return_id


def test_a_return_is_paid_back_once_and_told_as_often_as_asked(
    captured: "Checkout", provider: "FakeProvider"
) -> None:
    return_id = new_id()
    event = captured.returned(500, return_id)

    captured.hear(event, event, captured.returned(500, return_id))
    captured.work()
    captured.hear(captured.returned(500, return_id))

    assert captured.told()[2:] == ["payment.refunded", "payment.refunded"]
    assert len(provider.refunds["pay_1"]) == 1
    assert captured.work() == 0


def test_everything_given_back_in_parts_is_a_refunded_payment(captured: "Checkout") -> None:
    for amount in (500, 499, 1000):
        captured.hear(captured.returned(amount))
        captured.work()

    assert captured.payment.status is PaymentStatus.REFUNDED
    assert captured.view.balance.refunded_minor == 1999


@pytest.mark.parametrize(
    "changes", [{"amount_minor": 2000}, {"currency": "EUR"}], ids=["too much", "currency"]
)
def test_a_return_that_cannot_be_is_dead_lettered(
    captured: "Checkout", changes: dict[str, Any]
) -> None:
    outcome = captured.hear(captured.returned(500, **changes))

    assert len(outcome.dead) == 1
    assert captured.work() == 0


def test_a_return_of_what_was_never_taken_is_dead_lettered(checkout: "Checkout") -> None:
    checkout.hear(checkout.reserved())

    assert len(checkout.hear(checkout.returned(500)).dead) == 1


def test_a_return_is_not_worth_something_else_the_second_time(captured: "Checkout") -> None:
    return_id = new_id()
    captured.hear(captured.returned(500, return_id))

    assert len(captured.hear(captured.returned(501, return_id)).dead) == 1


def test_a_refund_whose_answer_is_lost_is_made_once(
    captured: "Checkout", provider: "FakeProvider"
) -> None:
    provider.after = [lambda: httpx.Response(504)]
    captured.hear(captured.returned(500))
    captured.work()
    assert captured.told()[2:] == []

    captured.wait(60)
    captured.work()

    assert captured.told()[2:] == ["payment.refunded"]
    assert len(provider.refunds["pay_1"]) == 1


def test_a_refund_that_the_webhook_tells_first_is_made_once(
    captured: "Checkout", provider: "FakeProvider"
) -> None:
    return_id = new_id()
    captured.hear(captured.returned(500, return_id))
    (operation,) = captured.claim()
    fact = captured.provider.perform(operation)
    refund = provider.refunds["pay_1"][0]

    captured.hear_webhook(captured.webhook("evt_1", provider.book["pay_1"], refund))
    with captured.db.transaction() as tx:
        operations.take(tx, operation, fact)

    assert captured.told()[2:] == ["payment.refunded"]
    assert len(captured.ledger) == 4


def test_a_refund_that_only_its_sum_tells_of_is_recognized(
    captured: "Checkout", provider: "FakeProvider"
) -> None:
    captured.hear(captured.returned(500))
    (operation,) = captured.claim()
    captured.provider.perform(operation)

    captured.hear_webhook(captured.webhook("evt_1", provider.book["pay_1"]))

    assert captured.told()[2:] == ["payment.refunded"]
    assert [row["state"] for row in captured.operations] == ["done"] * 3


def test_a_refund_that_the_provider_refuses_stays_due_and_is_seen(
    captured: "Checkout", provider: "FakeProvider"
) -> None:
    provider.before = [lambda: httpx.Response(422, json={"type": "urn:x:closed"})]
    captured.hear(captured.returned(500))

    captured.work()

    assert captured.operations[-1]["state"] == "due"
    assert captured.operations[-1]["outcome"] == "refused"
    assert captured.told()[2:] == []


# --- Two refunds race for the last cents


def test_of_two_refunds_that_race_for_the_last_cents_one_wins(captured: "Checkout") -> None:
    for _ in range(RACES):
        left = 1999 - sum(refund.amount_minor for refund, _ in captured.view.refunds)
        amount = left // 2 + 1
        start = Barrier(2)

        def ask(_: int, amount: int = amount, start: Barrier = start) -> bool:
            start.wait()
            try:
                with captured.db.transaction() as tx:
                    refunds.refund_by_staff(tx, captured.order_id, amount, "a scratch", "sam")
            except RefundTooLarge:
                return False
            return True

        with ThreadPoolExecutor(2) as threads:
            won = list(threads.map(ask, range(2)))

        assert sorted(won) == [False, True]

    asked = sum(refund.amount_minor for refund, _ in captured.view.refunds)
    assert asked <= 1999


def test_the_database_refuses_what_exceeds_the_captured_sum(
    db: Database, captured: "Checkout"
) -> None:
    payment = captured.payment

    with db.transaction() as tx:
        ledger.add_refund(tx, Refund(new_id(), payment.id, 1000, "once"))

    with pytest.raises(IntegrityError, match="exceed what was captured"), db.transaction() as tx:
        ledger.add_refund(tx, Refund(new_id(), payment.id, 1000, "twice"))


def test_the_database_lets_no_race_past_itself(db: Database, captured: "Checkout") -> None:
    """Two writers that ask nobody first: the trigger's own lock makes the second see the first."""
    payment = captured.payment
    start = Barrier(2)

    def write(_: int) -> bool:
        start.wait()
        try:
            with db.transaction() as tx:
                ledger.add_refund(tx, Refund(new_id(), payment.id, 1000, "a race"))
        except IntegrityError:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(write, range(2))) == [False, True]
