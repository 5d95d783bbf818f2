"""Money back: once a return, never more than was taken, however many ask at once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import permutations
from threading import Barrier
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from common.db import Database
from common.ids import new_id
from common.testing import published, until_a_session_waits
from payment.domain import PaymentStatus, Refund, RefundTooLarge
from payment.store import ledger
from payment.use_cases import operations, refunds
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

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

    captured.hear_webhook(
        captured.webhook("evt_1", provider.book["pay_1"]),
        captured.webhook("evt_2", provider.book["pay_1"], provider.refunds["pay_1"][0]),
    )

    assert captured.told()[2:] == ["payment.refunded"]
    assert [row["state"] for row in captured.operations] == ["done"] * 3


@pytest.mark.parametrize("first", ["without a name", "by our name"])
def test_a_refund_made_at_the_provider_beside_one_of_the_same_sum_is_booked_too(
    captured: "Checkout", provider: "FakeProvider", first: str
) -> None:
    return_id = new_id()
    captured.hear(captured.returned(500, return_id))
    (operation,) = captured.claim()
    captured.provider.perform(operation)
    provider.give_back("pay_1", 500)
    by_our_name, without_a_name = provider.refunds["pay_1"]
    told = {
        "by our name": captured.webhook("evt_1", provider.book["pay_1"], by_our_name),
        "without a name": captured.webhook("evt_2", provider.book["pay_1"], without_a_name),
    }

    for name in sorted(told, key=lambda name: name != first):
        captured.hear_webhook(told[name])

    assert captured.view.balance.refunded_minor == 1000
    assert _refunded(captured) == {return_id: 500, None: 500}
    assert captured.operations[-1]["state"] == "done"
    assert captured.compare_books() == 0
    assert captured.differences == []


def test_a_refund_that_the_provider_refuses_stays_due_and_is_seen(
    captured: "Checkout", provider: "FakeProvider"
) -> None:
    provider.before = [lambda: httpx.Response(422, json={"type": "urn:x:closed"})]
    captured.hear(captured.returned(500))

    captured.work()

    assert captured.operations[-1]["state"] == "due"
    assert captured.operations[-1]["outcome"] == "refused"
    assert captured.told()[2:] == []


# --- Staff give something back before the goods of a return arrive


@pytest.fixture
def vase(checkout: "Checkout") -> "Checkout":
    """An order of 31.16, paid: goods of 23.31, their tax, and delivery."""
    checkout.hear(checkout.reserved(amount_minor=3116))
    checkout.work()
    checkout.hear(checkout.confirmed())
    checkout.work()
    return checkout


def _give(checkout: "Checkout", amount_minor: int) -> None:
    with checkout.db.transaction() as tx:
        refunds.refund_by_staff(tx, checkout.order_id, amount_minor, "a scratch", "sam")


def _refunded(checkout: "Checkout") -> dict[str | None, int]:
    """What payment.refunded told, by return; an answer that is given again is no other one."""
    told = [event.data for event in published(checkout.db) if event.type == "payment.refunded"]
    return {data["return_id"]: data["amount_minor"] for data in told}


@pytest.mark.parametrize("is_answered", [True, False], ids=["made", "at the provider"])
def test_a_return_gets_what_a_goodwill_refund_has_left_of_the_payment(
    vase: "Checkout", provider: "FakeProvider", *, is_answered: bool
) -> None:
    return_id = new_id()
    _give(vase, 1000)
    if is_answered:
        vase.work()

    with capture_logs() as logs:
        outcome = vase.hear(vase.returned(2517, return_id))
    vase.work()

    assert outcome.dead == []
    assert _refunded(vase) == {None: 1000, return_id: 2116}
    assert provider.book["pay_1"]["refunded_minor"] == 3116
    assert vase.payment.status is PaymentStatus.REFUNDED
    [short] = [line for line in logs if line["event"] == "return_refunded_short"]
    assert (short["asked_minor"], short["amount_minor"]) == (2517, 2116)


def test_a_return_that_gets_less_gets_it_once_and_is_told_as_often_as_asked(
    vase: "Checkout", provider: "FakeProvider"
) -> None:
    return_id = new_id()
    _give(vase, 1000)
    vase.hear(*(vase.returned(2517, return_id) for _ in range(2)))
    vase.work()

    outcome = vase.hear(vase.returned(2517, return_id))

    assert outcome.dead == []
    assert vase.told()[2:] == ["payment.refunded"] * 3  # The gesture's, the return's, and again.
    assert [made["amount_minor"] for made in provider.refunds["pay_1"]] == [1000, 2116]
    assert vase.work() == 0


def test_a_return_of_which_nothing_is_left_is_answered_with_nothing(
    vase: "Checkout", provider: "FakeProvider"
) -> None:
    return_id = new_id()
    _give(vase, 3116)

    outcome = vase.hear(*(vase.returned(2517, return_id) for _ in range(2)))
    started = vase.work()

    assert outcome.dead == []
    assert started == 1  # The gesture's refund.
    assert _refunded(vase) == {return_id: 0, None: 3116}
    nothing = [e for e in published(vase.db) if e.data.get("return_id") == return_id]
    assert {event.data["refund_id"] for event in nothing} == {return_id}
    assert vase.hear(vase.returned(2517, return_id)).dead == []
    assert len(provider.refunds["pay_1"]) == 1


@pytest.mark.parametrize("acts", list(permutations(("gesture", "vase", "bowl", "answer"))))
def test_no_order_of_gesture_and_returns_leaves_one_unanswered(
    vase: "Checkout", acts: tuple[str, ...]
) -> None:
    worth = {"vase": 1500, "bowl": 1017}
    ids = {name: new_id() for name in worth}
    dead = []
    for act in acts:
        if act == "gesture":
            with suppress(RefundTooLarge):  # Which staff are told, and nobody waits for.
                _give(vase, 1000)
        elif act == "answer":
            vase.work()
        else:
            dead += vase.hear(vase.returned(worth[act], ids[act])).dead
    vase.work()

    told = _refunded(vase)
    assert dead == []
    assert told.keys() >= set(ids.values())
    assert all(told[ids[name]] <= worth[name] for name in worth)
    assert sum(told.values()) == vase.view.balance.refunded_minor <= 3116
    assert vase.work() == 0


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


def test_a_return_and_a_gesture_that_race_share_what_was_taken(vase: "Checkout") -> None:
    return_id = new_id()
    start = Barrier(2)

    def give() -> None:
        start.wait()
        with suppress(RefundTooLarge):
            _give(vase, 1000)

    def take_in() -> None:
        start.wait()
        with vase.db.transaction() as tx:
            refunds.refund_return(tx, vase.order_id, return_id, 2517, "USD")

    with ThreadPoolExecutor(2) as threads:
        for under_way in [threads.submit(give), threads.submit(take_in)]:
            under_way.result()

    asked = {refund.return_id: refund.amount_minor for refund, _ in vase.view.refunds}
    assert asked in ({None: 1000, return_id: 2116}, {return_id: 2517})


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


def test_a_refund_that_waits_for_another_holds_nothing_that_the_other_needs(
    db: Database, captured: "Checkout"
) -> None:
    """As what refers to a payment is checked, a share of its lock is held until the end."""
    lock = "SELECT 1 FROM payments WHERE id = :id FOR"
    payment = {"id": captured.payment.id}

    def write() -> None:
        with db.transaction() as tx:
            ledger.add_refund(tx, Refund(new_id(), captured.payment.id, 1000, "later"))

    with ThreadPoolExecutor(1) as thread:
        with db.transaction() as tx:
            tx.execute(text(f"{lock} KEY SHARE"), payment)
            later = thread.submit(write)
            until_a_session_waits(tx)
            tx.execute(text(f"{lock} UPDATE NOWAIT"), payment)
        later.result()

    assert [refund.amount_minor for refund, _ in captured.view.refunds] == [1000]


def test_a_return_is_not_worth_more_the_second_time_though_nothing_more_is_left(
    checkout: "Checkout",
) -> None:
    checkout.hear(checkout.reserved(amount_minor=3116))
    checkout.work()
    checkout.hear(checkout.confirmed())
    checkout.work()
    return_id = new_id()
    checkout.hear(checkout.returned(1000, return_id))
    with checkout.db.transaction() as tx:
        refunds.refund_by_staff(tx, checkout.order_id, 2116, "a scratch", "sam")

    assert len(checkout.hear(checkout.returned(1500, return_id)).dead) == 1
