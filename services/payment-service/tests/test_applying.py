"""Answers, webhooks and comparisons meet in one function: in any order, one effect."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from common.db import Database
from common.events import Event
from common.testing import published
from payment.domain import PaymentStatus
from payment.use_cases import provider_facts, webhooks
from sqlalchemy import text

if TYPE_CHECKING:
    from conftest import Checkout, FakeProvider

DUPLICATES = 5
CAPTURED = {"captured_minor": 1999, "amount_minor": 1999, "currency": "USD"}
LEDGER_OF_CAPTURE = [("provider_receivable", 1999, "USD"), ("sales", -1999, "USD")]


def _webhooks(checkout: "Checkout", story: tuple[str, ...]) -> list[dict[str, Any]]:
    """What the provider tells of pay_1, one webhook a state, each as the payment was then."""
    told, refunded = [], 0
    for number, status in enumerate(story):
        refund = None
        payment: dict[str, Any] = {
            "id": "pay_1", "status": status, "reference": checkout.order_id,
            "amount_minor": 1999, "currency": "USD", "captured_minor": 0,
        }  # fmt: skip
        if status == "requires_action":
            url = "https://provider.example/3ds/pay_1?key=secret"
            payment["next_action"] = {"type": "redirect", "url": url}
        if status in {"captured", "partially_refunded", "refunded"}:
            payment |= CAPTURED
        if status in {"partially_refunded", "refunded"}:
            amount = 500 if status == "partially_refunded" else 1999 - refunded
            refunded += amount
            refund = {"id": f"re_{number}", "amount_minor": amount, "status": "succeeded"}
        told.append(
            checkout.webhook(f"evt_{number}", payment | {"refunded_minor": refunded}, refund)
        )
    return told


PAID = ("requires_action", "authorized", "captured", "partially_refunded", "refunded")


@pytest.mark.parametrize("order", list(permutations(range(len(PAID)))), ids=str)
def test_a_paid_and_refunded_story_ends_the_same_in_every_order(
    checkout: "Checkout", order: tuple[int, ...]
) -> None:
    checkout.hear(checkout.reserved())
    told = _webhooks(checkout, PAID)

    for number in order:
        checkout.hear_webhook(*[told[number]] * DUPLICATES)

    assert checkout.payment.status is PaymentStatus.REFUNDED
    assert checkout.view.balance.captured_minor == checkout.view.balance.refunded_minor == 1999
    assert checkout.ledger[:2] == LEDGER_OF_CAPTURE
    assert len(checkout.ledger) == 2 + 2 * 2
    counts = Counter(checkout.told())
    assert counts.pop("payment.refunded") == 2
    assert set(counts.values()) <= {1}
    assert checkout.differences == []


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_even_a_story_that_cannot_be_keeps_the_money_right(
    checkout: "Checkout", order: tuple[int, ...]
) -> None:
    """All 4! orders of authorized, captured, declined, refunded: what was taken is given back."""
    checkout.hear(checkout.reserved())
    told = _webhooks(checkout, ("authorized", "captured", "declined", "refunded"))

    ranks = []
    for number in order:
        checkout.hear_webhook(*[told[number]] * DUPLICATES)
        ranks.append(checkout.view.balance.captured_minor - checkout.view.balance.refunded_minor)

    assert checkout.payment.status is PaymentStatus.REFUNDED
    assert ranks[-1] == 0
    assert all(sum_ >= 0 for sum_ in ranks)
    assert len(checkout.ledger) == 4
    assert max(Counter(checkout.told()).values()) == 1


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("end", ["declined", "voided"])
def test_an_unpaid_story_ends_the_same_in_every_order(
    checkout: "Checkout", end: str, order: tuple[int, ...]
) -> None:
    middle = "requires_action" if end == "declined" else "authorized"
    told = _webhooks(checkout, ("requires_action", middle, end))
    checkout.hear(checkout.reserved())

    for number in order:
        checkout.hear_webhook(*[told[number]] * DUPLICATES)

    assert checkout.payment.status is PaymentStatus(end)
    assert checkout.ledger == []
    assert max(Counter(checkout.told()).values()) == 1
    assert checkout.told()[-1] == f"payment.{end}"


# --- Response and webhook at once (medusa#13301, saleor#12652)


@pytest.mark.parametrize("first", ["webhook", "answer"])
def test_a_webhook_beside_the_answer_counts_once(
    db: Database, checkout: "Checkout", provider: "FakeProvider", first: str
) -> None:
    checkout.hear(checkout.reserved())
    (operation,) = checkout.claim()
    fact = checkout.provider.perform(operation)
    told = checkout.webhook("evt_1", provider.book["pay_1"])
    steps: dict[str, Callable[[], None]] = {
        "webhook": lambda: checkout.hear_webhook(told),
        "answer": lambda: _apply(db, checkout, fact),
    }

    for name in sorted(steps, key=lambda name: name != first):
        steps[name]()

    assert checkout.told() == ["payment.authorized"]
    assert [row["state"] for row in checkout.operations] == ["done"]


def test_a_webhook_and_the_answer_at_the_same_moment_count_once(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    checkout.work()
    checkout.hear(checkout.confirmed())
    (operation,) = checkout.claim()
    fact = checkout.provider.perform(operation)
    body = json.dumps(checkout.webhook("evt_1", provider.book["pay_1"])).encode()
    with db.transaction() as tx:
        webhooks.receive(tx, body)
    start = Barrier(3)

    def act(step: Callable[[], object]) -> None:
        start.wait()
        step()

    with ThreadPoolExecutor(3) as threads:
        list(
            threads.map(
                act,
                [
                    lambda: _apply(db, checkout, fact),
                    lambda: webhooks.run_once(db, checkout.provider),
                    lambda: checkout.hear(checkout.confirmed()),
                ],
            )
        )

    assert checkout.ledger == LEDGER_OF_CAPTURE
    counts = Counter(checkout.told())
    assert counts["payment.authorized"] == 1
    assert counts["payment.captured"] in {1, 2}  # The repeated confirmation is answered as well.
    assert checkout.payment.status is PaymentStatus.CAPTURED


def test_two_charges_of_one_order_are_a_difference_and_no_second_payment(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    checkout.work()
    second = provider.add(checkout.order_id, "captured")

    checkout.hear_webhook(checkout.webhook("evt_1", second))

    assert checkout.payment.provider_payment_id == "pay_1"
    assert checkout.differences == [("another_payment", checkout.order_id)]
    assert checkout.ledger == []


@pytest.mark.parametrize(
    "changes",
    [{"amount_minor": 1}, {"currency": "EUR"}, {"status": "captured", "captured_minor": 1}],
    ids=["amount", "currency", "partly captured"],
)
def test_another_sum_is_put_aside_and_confirms_nothing(
    checkout: "Checkout", provider: "FakeProvider", changes: dict[str, Any]
) -> None:
    checkout.hear(checkout.reserved())
    wrong = provider.add(checkout.order_id, "authorized") | changes

    checkout.hear_webhook(checkout.webhook("evt_1", wrong))

    assert checkout.told() == []
    assert checkout.payment.status is PaymentStatus.INITIATED
    assert checkout.differences == [("amounts_differ", checkout.order_id)]


# --- 3-D Secure


@pytest.fixture
def challenged(checkout: "Checkout") -> "Checkout":
    checkout.hear(checkout.reserved(payment_method="pm_3ds_required"))
    checkout.work()
    return checkout


def test_a_shopper_who_has_to_act_is_told_where(challenged: "Checkout") -> None:
    assert challenged.payment.status is PaymentStatus.ACTION_REQUIRED
    assert challenged.told() == ["payment.action_required"]
    assert challenged.answers() == [
        {
            "action_url": "https://provider.example/3ds/pay_1?key=secret",
            "expires_at": "2026-01-01T00:15:00+00:00",
        }
    ]
    assert challenged.work() == 0


@pytest.mark.parametrize("outcome", ["authorized", "declined"])
def test_the_webhook_decides_after_the_shopper_has_acted(
    challenged: "Checkout", provider: "FakeProvider", outcome: str
) -> None:
    challenged.hear_webhook(challenged.webhook("evt_1", provider.change("pay_1", status=outcome)))

    assert challenged.told() == ["payment.action_required", f"payment.{outcome}"]
    assert challenged.payment.action is None


def test_an_order_that_asks_again_hears_the_action_again(challenged: "Checkout") -> None:
    challenged.hear(challenged.reserved(payment_method="pm_3ds_required"))

    assert challenged.told() == ["payment.action_required"] * 2


def test_an_order_whose_shopper_never_acts_is_voided(
    challenged: "Checkout", provider: "FakeProvider"
) -> None:
    challenged.hear(challenged.cancellation())
    challenged.work()

    assert challenged.told() == ["payment.action_required", "payment.voided"]
    assert provider.statuses == {"pay_1": "voided"}


def test_a_shopper_who_acts_while_the_order_is_cancelled_gets_the_hold_let_go(
    challenged: "Checkout", provider: "FakeProvider"
) -> None:
    challenged.hear(challenged.cancellation())
    challenged.hear_webhook(
        challenged.webhook("evt_1", provider.change("pay_1", status="authorized"))
    )

    assert challenged.told() == ["payment.action_required"]
    challenged.work()
    assert challenged.told() == ["payment.action_required", "payment.voided"]
    assert provider.statuses == {"pay_1": "voided"}


def test_a_shopper_who_gives_up_while_the_order_is_cancelled_leaves_nothing_to_void(
    challenged: "Checkout", provider: "FakeProvider"
) -> None:
    challenged.hear(challenged.cancellation())
    provider.change("pay_1", status="declined", decline_code="authentication_failed")

    challenged.work()

    assert challenged.told() == ["payment.action_required", "payment.declined"]
    assert challenged.work() == 0


# --- Late success


def test_money_taken_for_a_cancelled_order_goes_back_by_itself(
    challenged: "Checkout", provider: "FakeProvider"
) -> None:
    challenged.hear(challenged.cancellation())
    taken = provider.change("pay_1", status="captured", captured_minor=1999)
    challenged.hear_webhook(challenged.webhook("evt_1", taken))
    challenged.work()

    assert challenged.told()[1:] == ["payment.refunded", "payment.voided"]
    assert challenged.answers()[1]["reason"] == "order_cancelled"
    assert provider.statuses == {"pay_1": "refunded"}
    assert sum(amount for _, amount, _ in challenged.ledger) == 0
    assert challenged.view.balance.refunded_minor == 1999
    assert challenged.work() == 0


def test_a_payment_that_arrives_after_it_was_said_to_be_none_is_undone(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved(), checkout.cancellation())
    late = provider.add(checkout.order_id, "authorized")

    checkout.hear_webhook(checkout.webhook("evt_1", late))
    checkout.work()

    assert checkout.told() == ["payment.voided", "payment.voided"]
    assert provider.statuses == {"pay_1": "voided"}


def test_an_order_cancelled_after_its_money_was_taken_unasked_gets_it_back(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    taken = provider.add(checkout.order_id, "captured")
    checkout.hear_webhook(checkout.webhook("evt_1", taken))
    assert checkout.told() == ["payment.authorized"]

    checkout.hear(checkout.cancellation())
    checkout.work()

    assert checkout.told() == ["payment.authorized", "payment.refunded", "payment.voided"]


def test_money_taken_unasked_is_told_as_captured_once_the_order_asks(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())
    checkout.hear_webhook(checkout.webhook("evt_1", provider.add(checkout.order_id, "captured")))

    checkout.hear(checkout.confirmed())

    assert checkout.told() == ["payment.authorized", "payment.captured"]
    assert checkout.work() == 0


# --- Traces


def test_what_a_webhook_does_stays_in_the_checkouts_trace(
    db: Database, challenged: "Checkout", provider: "FakeProvider"
) -> None:
    trace_id = "1" * 32
    with db.transaction() as tx:
        tx.execute(
            text("UPDATE payments SET traceparent = :it"), {"it": f"00-{trace_id}-{'2' * 16}-01"}
        )

    challenged.hear_webhook(
        challenged.webhook("evt_1", provider.change("pay_1", status="authorized"))
    )

    with db.transaction() as tx:
        told = tx.scalars(text("SELECT traceparent FROM outbox ORDER BY position")).all()
    assert told[-1].split("-")[1] == trace_id
    assert _last(db).type == "payment.authorized"


def _last(db: Database) -> Event:
    return published(db)[-1]


def _apply(db: Database, checkout: "Checkout", fact: Any) -> None:
    with db.transaction() as tx:
        provider_facts.apply(tx, checkout.order_id, fact)
