"""The saga succeeds, unwinds from every step, repeats harmlessly, and knows what is illegal."""

import itertools
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime

import neighbours
import pytest
from common.errors import IllegalTransition
from neighbours import World
from order import saga
from order.domain import CancelReason, NotCancellable, Order, OrderStatus, Totals

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = Order(
    id="o-1", customer_id="ana", email="ana@shoppers.example", currency="USD",
    totals=Totals(500, 599, 40),
    payment_method="pm_ok", status=OrderStatus.PENDING, placed_at=NOW, updated_at=NOW,
)  # fmt: skip
ASKED = saga.ask_to_cancel(ORDER, CancelReason.CUSTOMER_CANCELLED).order


def run(order: Order, *events: str) -> tuple[Order, list[str]]:
    published: list[str] = []
    for event in events:
        step = saga.after(order, event)
        order = step.order
        published += [step.publishes] if step.publishes else []
    return order, published


def test_a_paid_order_is_confirmed_and_settles() -> None:
    order, published = run(
        ORDER, "stock.reserved", "payment.authorized", "payment.captured", "stock.committed"
    )

    assert (order.status, order.settled) == (OrderStatus.CONFIRMED, True)
    assert published == ["order.confirmed"]


@pytest.mark.parametrize(
    ("order", "events", "reason"),
    [
        (ORDER, ("stock.rejected",), CancelReason.OUT_OF_STOCK),
        (ORDER, ("stock.reserved", "payment.declined", "stock.released"),
         CancelReason.PAYMENT_DECLINED),
        (ASKED, ("stock.reserved", "payment.voided", "stock.released"),
         CancelReason.CUSTOMER_CANCELLED),
        (ASKED, ("payment.voided", "stock.released"), CancelReason.CUSTOMER_CANCELLED),
        (ASKED, ("stock.reserved", "payment.authorized", "payment.voided", "stock.released"),
         CancelReason.CUSTOMER_CANCELLED),
        (ASKED, ("stock.reserved", "payment.declined", "stock.released"),
         CancelReason.PAYMENT_DECLINED),
        (ASKED, ("stock.rejected", "payment.voided"), CancelReason.OUT_OF_STOCK),
    ],
    ids=["no stock", "declined", "cancelled", "cancelled before stock",
         "cancelled, authorized late", "cancelled and declined", "cancelled and no stock"],
)  # fmt: skip
def test_a_failure_at_any_step_unwinds_to_a_settled_cancellation(
    order: Order, events: tuple[str, ...], reason: CancelReason
) -> None:
    after, published = run(order, *events)

    assert (after.status, after.cancel_reason, after.settled) == (
        OrderStatus.CANCELLED, reason, True,
    )  # fmt: skip
    assert published == ["order.cancelled"]


@pytest.mark.parametrize(
    "events",
    [
        ("stock.reserved", "payment.authorized", "payment.captured", "stock.committed"),
        ("stock.reserved", "payment.declined", "stock.released"),
        ("stock.rejected",),
    ],
    ids=["paid", "declined", "out of stock"],
)
def test_every_answer_may_come_twice(events: tuple[str, ...]) -> None:
    once = run(ORDER, *events)

    assert run(ORDER, *itertools.chain(*[(event, event) for event in events])) == once


def test_capture_and_commit_settle_in_either_order() -> None:
    confirmed, _ = run(ORDER, "stock.reserved", "payment.authorized")

    for events in itertools.permutations(("payment.captured", "stock.committed")):
        assert run(confirmed, *events)[0].settled
        assert not run(confirmed, events[0])[0].settled


def test_an_authorization_never_confirms_an_order_that_is_being_cancelled() -> None:
    order, published = run(ASKED, "payment.authorized")

    assert order.status is OrderStatus.PENDING
    assert published == []


@pytest.mark.parametrize(
    ("status", "event"),
    [
        (OrderStatus.PENDING, "payment.captured"),
        (OrderStatus.PENDING, "stock.committed"),
        (OrderStatus.PENDING, "stock.released"),
        (OrderStatus.CONFIRMED, "stock.rejected"),
        (OrderStatus.CONFIRMED, "stock.released"),
        (OrderStatus.CONFIRMED, "payment.declined"),
        (OrderStatus.CONFIRMED, "payment.voided"),
        (OrderStatus.CANCELLED, "stock.committed"),
        (OrderStatus.CANCELLED, "payment.captured"),
    ],
)
def test_an_answer_to_a_question_nobody_asked_is_illegal(status: OrderStatus, event: str) -> None:
    order = {
        OrderStatus.PENDING: ORDER,
        OrderStatus.CONFIRMED: run(ORDER, "payment.authorized")[0],
        OrderStatus.CANCELLED: run(ORDER, "stock.rejected")[0],
    }[status]

    with pytest.raises(IllegalTransition, match=event):
        saga.after(order, event)


def test_cancelling_asks_payment_once() -> None:
    assert (
        saga.ask_to_cancel(ORDER, CancelReason.CUSTOMER_CANCELLED).publishes
        == "order.cancellation_requested"
    )
    assert saga.ask_to_cancel(ASKED, CancelReason.CUSTOMER_CANCELLED) == saga.Step(ASKED)


def test_a_confirmed_order_cannot_be_cancelled() -> None:
    confirmed, _ = run(ORDER, "payment.authorized")

    with pytest.raises(NotCancellable):
        saga.ask_to_cancel(confirmed, CancelReason.CUSTOMER_CANCELLED)


def test_a_nudge_asks_the_question_the_order_waits_on() -> None:
    confirmed, _ = run(ORDER, "payment.authorized")
    declined, _ = run(ORDER, "payment.declined")

    assert saga.nudge(ORDER, past_deadline=False).publishes == "order.placed"
    assert saga.nudge(ASKED, past_deadline=True).publishes == "order.cancellation_requested"
    assert saga.nudge(confirmed, past_deadline=True).publishes == "order.confirmed"
    assert saga.nudge(declined, past_deadline=False).publishes == "order.cancelled"


def test_past_its_deadline_an_order_starts_to_cancel() -> None:
    step = saga.nudge(ORDER, past_deadline=True)

    assert step.order.cancellation_requested is CancelReason.DEADLINE_EXCEEDED
    assert step.publishes == "order.cancellation_requested"


def every_world() -> tuple[set[World], dict[World, set[World]]]:
    """All worlds that may come about, and for each those it may come from."""
    open_ = neighbours.beginnings(ORDER)
    seen, causes = set(open_), defaultdict(set)
    while open_:
        world = open_.pop()
        for following in neighbours.successors(world):
            causes[following].add(world)
            if following not in seen:
                seen.add(following)
                open_.append(following)
    return seen, causes


@pytest.fixture(scope="module")
def worlds() -> tuple[set[World], dict[World, set[World]]]:
    """Raises IllegalTransition if neighbours that keep their contracts can bring it about."""
    return every_world()


@pytest.mark.exhaustive
def test_whatever_comes_in_whatever_order_the_books_agree_at_the_end(
    worlds: tuple[set[World], dict[World, set[World]]],
) -> None:
    ends = {
        (world.order.status, world.order.cancel_reason, world.stock, world.payment)
        for world in worlds[0]
        if world.at_rest and world.order.settled
    }

    cancelled, asked = OrderStatus.CANCELLED, (
        CancelReason.CUSTOMER_CANCELLED, CancelReason.DEADLINE_EXCEEDED,
    )  # fmt: skip
    assert ends == {
        (OrderStatus.CONFIRMED, None, "committed", "captured"),
        (cancelled, CancelReason.OUT_OF_STOCK, "rejected", ""),
        (cancelled, CancelReason.OUT_OF_STOCK, "rejected", "voided"),
        (cancelled, CancelReason.PAYMENT_DECLINED, "released", "declined"),
        *((cancelled, reason, "released", "voided") for reason in asked),
        # Of money that turned up after the decline, whichever the order heard of first.
        *(
            (cancelled, reason, "released", payment)
            for reason in (CancelReason.PAYMENT_DECLINED, *asked)
            for payment in ("voided", "refunded")
        ),
        *((cancelled, reason, "rejected", "voided") for reason in asked),
    }


@pytest.mark.exhaustive
def test_the_table_holds_what_can_happen_and_nothing_else(
    worlds: tuple[set[World], dict[World, set[World]]],
) -> None:
    can_happen = {
        (saga.state_of(world.order), event)
        for world in worlds[0]
        for hearer, event in world.messages
        if hearer == "order"
    }

    # In PENDING the shelf's reminder is the deadline's question; staff's refunds and those of
    # returns are tried further down.
    can_happen -= {(saga.State.PENDING, "stock.reservation_expired")}
    can_happen |= {(saga.State.CONFIRMED, "payment.refunded")}
    assert can_happen == {
        (state, event) for state, answers in saga.TRANSITIONS.items() for event in answers
    }


@pytest.mark.exhaustive
def test_from_wherever_an_order_is_it_can_still_settle(
    worlds: tuple[set[World], dict[World, set[World]]],
) -> None:
    seen, causes = worlds
    can_settle = {world for world in seen if world.at_rest and world.order.settled}
    open_ = list(can_settle)
    while open_:
        new = causes[open_.pop()] - can_settle
        can_settle |= new
        open_ += new

    assert len(seen) > 1000
    assert seen - can_settle == set()


@pytest.mark.exhaustive
def test_only_a_loss_needs_the_watchdog(
    worlds: tuple[set[World], dict[World, set[World]]],
) -> None:
    stuck = {world for world in worlds[0] if world.at_rest and not world.order.settled}

    assert stuck
    assert {world.may_lose for world in stuck} == {0}


@pytest.mark.parametrize("event", ["payment.action_required", "stock.reservation_expired"])
def test_what_comes_late_changes_no_decision(event: str) -> None:
    confirmed, _ = run(ORDER, "stock.reserved", "payment.authorized")

    assert saga.after(confirmed, event).order == confirmed


def test_a_reservation_held_too_long_asks_to_cancel_what_is_undecided() -> None:
    step = saga.after(ORDER, "stock.reservation_expired")

    assert step.order.cancellation_requested is CancelReason.DEADLINE_EXCEEDED
    assert step.publishes == "order.cancellation_requested"


def test_a_challenge_is_over_when_the_order_is_decided() -> None:
    asked = replace(ORDER, action_url="https://bank.example/3ds")

    assert saga.after(asked, "stock.reserved").order.action_url == asked.action_url
    assert saga.after(asked, "payment.authorized").order.action_url is None
    assert saga.after(asked, "payment.declined").order.action_url is None


def test_a_late_success_is_paid_back_and_told() -> None:
    voided, _ = run(ASKED, "payment.voided")

    assert saga.after(voided, "payment.refunded").publishes == "order.refunded"
    assert saga.after(ASKED, "payment.refunded").publishes == "order.refunded"


def test_nobody_is_paid_back_for_what_was_never_paid() -> None:
    rejected, _ = run(ORDER, "stock.rejected")

    with pytest.raises(IllegalTransition):
        saga.after(rejected, "payment.refunded")


@pytest.mark.parametrize(
    "events",
    list(itertools.permutations(("payment.declined", "payment.refunded", "payment.voided"))),
    ids=", ".join,
)
def test_money_that_came_after_a_decline_went_back_and_is_told(events: tuple[str, ...]) -> None:
    """It may be told before the decline is."""
    order, published = run(ORDER, "stock.reserved", *events, "stock.released")

    assert (order.cancel_reason, order.settled) == (CancelReason.PAYMENT_DECLINED, True)
    assert sorted(published) == ["order.cancelled", "order.refunded"]
