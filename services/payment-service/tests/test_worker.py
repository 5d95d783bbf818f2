import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import psycopg2
import pytest
from common import tracing
from common.db import Database
from common.events import RELAY, Event
from common.testing import published
from payment import worker
from payment.clients import OutcomeUnknown, PaymentProvider
from payment.domain import Fact, Operation, PaymentNotFound, PaymentStatus
from payment.worker import HANDS, Operations, perform_operation
from sqlalchemy import NullPool, QueuePool, create_engine, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

if TYPE_CHECKING:
    from conftest import Checkout, FakeProvider

TRACE_ID = "1" * 32
TRACEPARENT = f"00-{TRACE_ID}-{'2' * 16}-01"
AMOUNT = {"amount_minor": 1999, "currency": "USD"}
# Nothing in these tests takes longer, however busy the machine.
WITHIN_S = 20


@pytest.fixture
def authorized(checkout: "Checkout") -> "Checkout":
    checkout.hear(checkout.reserved())
    checkout.work()
    return checkout


@pytest.fixture
def captured(authorized: "Checkout") -> "Checkout":
    authorized.hear(authorized.confirmed())
    authorized.work()
    return authorized


@pytest.fixture
def declined(checkout: "Checkout") -> "Checkout":
    checkout.hear(checkout.reserved(payment_method="pm_declined"))
    checkout.work()
    return checkout


@pytest.fixture
def voided(authorized: "Checkout") -> "Checkout":
    authorized.hear(authorized.cancellation())
    authorized.work()
    return authorized


def _is_refused(checkout: "Checkout", event: Event) -> bool:
    """Whether *event* is dead-lettered at its first receive, as a forbidden step."""
    outcome = checkout.hear(event)
    return outcome.left == [] and ["IllegalTransition" in reason for _, reason in outcome.dead] == [
        True
    ]


# --- The order is paid


def test_an_order_is_paid(checkout: "Checkout", provider: "FakeProvider") -> None:
    checkout.hear(checkout.reserved())
    checkout.work()
    checkout.hear(checkout.confirmed())
    checkout.work()

    assert checkout.told() == ["payment.authorized", "payment.captured"]
    assert checkout.answers() == [AMOUNT, AMOUNT]
    assert provider.paths == ["/v1/payments", "/v1/payments/{id}/capture"]
    assert provider.statuses == {"pay_1": "captured"}


def test_a_capture_is_two_entries_that_sum_to_zero(captured: "Checkout") -> None:
    assert captured.ledger == [("provider_receivable", 1999, "USD"), ("sales", -1999, "USD")]


def test_nothing_is_entered_before_the_money_is_ours(authorized: "Checkout") -> None:
    assert authorized.ledger == []


def test_events_tell_the_order_and_the_payment(db: Database, authorized: "Checkout") -> None:
    (event,) = published(db)

    assert event.data["order_id"] == authorized.order_id == event.subject
    assert event.data["payment_id"] == authorized.payment.id


def test_a_reservation_calls_nobody_by_itself(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved())

    assert provider.calls == []
    assert checkout.told() == []


def test_a_declined_order_hears_why(declined: "Checkout") -> None:
    assert declined.told() == ["payment.declined"]
    assert declined.answers() == [{"reason": "generic_decline"}]
    assert declined.work() == 0


def test_an_unknown_payment_method_is_declined_at_once(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved(payment_method="pm_unknown"))
    checkout.work()

    assert checkout.answers() == [{"reason": "unknown_payment_method"}]
    assert checkout.payment.provider_payment_id is None
    checkout.wait(60)
    assert checkout.work() == 0
    assert len(provider.calls) == 1


# --- Twice, again, late


@pytest.mark.parametrize("act", ["reserved", "confirmed", "cancellation"])
def test_the_same_message_twice_counts_once(
    checkout: "Checkout", provider: "FakeProvider", act: str
) -> None:
    if act != "reserved":
        checkout.hear(checkout.reserved())
        checkout.work()
    event = getattr(checkout, act)()

    checkout.hear(event, event)
    checkout.work()
    checkout.hear(event)
    checkout.work()

    assert set(Counter(checkout.told()).values()) == {1}
    assert len(provider.keys) == len(set(provider.keys)) == len(checkout.told())


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        ("authorized", "payment.authorized"),
        ("captured", "payment.captured"),
        ("declined", "payment.declined"),
        ("voided", "payment.voided"),
    ],
)
def test_an_order_that_asks_again_hears_the_known_outcome_again(
    request: pytest.FixtureRequest, provider: "FakeProvider", state: str, answer: str
) -> None:
    checkout: Checkout = request.getfixturevalue(state)
    method = "pm_declined" if state == "declined" else "pm_ok"
    calls = len(provider.calls)

    checkout.hear(checkout.reserved(payment_method=method))

    assert checkout.told()[-2:] == [answer, answer]
    assert checkout.answers()[-1] == checkout.answers()[-2]
    assert checkout.work() == 0
    assert len(provider.calls) == calls


def test_an_order_that_asks_again_too_early_hears_nothing_yet(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved(), checkout.reserved())
    checkout.hear(checkout.reserved())

    assert checkout.told() == []
    assert checkout.work() == 1
    assert checkout.told() == ["payment.authorized"]
    assert len(provider.calls) == 1


def test_an_order_does_not_ask_again_at_another_price(authorized: "Checkout") -> None:
    assert _is_refused(authorized, authorized.reserved(amount_minor=1998))

    assert authorized.payment.amount_minor == 1999


def test_a_confirmation_that_is_told_again_is_answered_again(
    captured: "Checkout", provider: "FakeProvider"
) -> None:
    captured.hear(captured.confirmed())

    assert captured.told() == ["payment.authorized", "payment.captured", "payment.captured"]
    assert captured.work() == 0
    assert len(captured.ledger) == 2


def test_a_confirmation_that_is_told_again_too_early_captures_once(
    authorized: "Checkout", provider: "FakeProvider"
) -> None:
    authorized.hear(authorized.confirmed(), authorized.confirmed())
    authorized.hear(authorized.confirmed())

    assert authorized.work() == 1
    assert authorized.told() == ["payment.authorized", "payment.captured"]


@pytest.mark.parametrize("state", ["declined", "voided"])
def test_a_cancellation_that_is_told_again_is_answered_again(
    request: pytest.FixtureRequest, provider: "FakeProvider", state: str
) -> None:
    checkout: Checkout = request.getfixturevalue(state)
    calls = len(provider.calls)

    checkout.hear(checkout.cancellation())
    checkout.hear(checkout.cancellation())

    assert checkout.told()[-2:] == [f"payment.{state}"] * 2
    assert checkout.work() == 0
    assert len(provider.calls) == calls


# --- The order is cancelled


def test_a_cancelled_order_lets_go_of_its_money(
    authorized: "Checkout", provider: "FakeProvider"
) -> None:
    authorized.hear(authorized.cancellation())

    assert authorized.told() == ["payment.authorized"]
    authorized.work()
    assert authorized.told() == ["payment.authorized", "payment.voided"]
    assert authorized.answers()[-1] == {"authorized": True}
    assert provider.statuses == {"pay_1": "voided"}
    assert authorized.ledger == []


def test_a_cancellation_that_overtook_the_reservation_is_final(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.cancellation())
    checkout.hear(checkout.reserved())

    assert checkout.told() == ["payment.voided", "payment.voided"]
    assert checkout.answers() == [{"authorized": False}] * 2
    assert checkout.work() == 0
    assert provider.calls == []


def test_an_order_cancelled_before_the_provider_was_asked_asks_it_nothing(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    checkout.hear(checkout.reserved(), checkout.cancellation())

    assert checkout.told() == ["payment.voided"]
    assert checkout.answers() == [{"authorized": False}]
    assert checkout.work() == 0
    assert provider.calls == []


def test_an_order_cancelled_before_the_provider_answers_is_never_told_that_it_is_authorized(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    provider.after = [lambda: httpx.Response(504)]
    checkout.hear(checkout.reserved())
    checkout.work()
    checkout.hear(checkout.cancellation())

    assert checkout.told() == []
    checkout.wait(60)
    checkout.work()
    assert checkout.told() == []
    checkout.work()
    assert checkout.told() == ["payment.voided"]
    assert checkout.answers() == [{"authorized": True}]
    assert provider.paths == ["/v1/payments", "/v1/payments/{id}/void"]
    assert provider.statuses == {"pay_1": "voided"}


def test_an_authorization_that_never_arrived_is_not_sent_again_for_a_cancelled_order(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    provider.before = [lambda: httpx.Response(504)]
    checkout.hear(checkout.reserved())
    checkout.work()
    checkout.hear(checkout.cancellation())
    checkout.wait(60)

    checkout.work()

    assert checkout.told() == ["payment.voided"]
    assert checkout.answers() == [{"authorized": False}]
    assert len(provider.calls) == 1
    assert provider.book == {}


def test_an_order_cancelled_during_the_call_is_never_told_that_it_is_authorized(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    provider.on_call = lambda: checkout.hear(checkout.cancellation())
    checkout.hear(checkout.reserved())

    checkout.work()
    provider.on_call = lambda: None
    checkout.work()

    assert checkout.told() == ["payment.voided"]
    assert provider.statuses == {"pay_1": "voided"}


def test_an_order_cancelled_before_the_provider_declines_is_told_so(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    provider.on_call = lambda: checkout.hear(checkout.cancellation())
    checkout.hear(checkout.reserved(payment_method="pm_declined"))
    checkout.work()

    assert checkout.told() == ["payment.declined"]
    assert checkout.work() == 0
    assert provider.paths == ["/v1/payments"]


def test_an_order_that_asks_again_while_its_money_is_let_go_hears_only_that(
    authorized: "Checkout",
) -> None:
    authorized.hear(authorized.cancellation())
    authorized.hear(authorized.reserved())
    authorized.hear(authorized.cancellation())
    authorized.work()

    assert authorized.told() == ["payment.authorized", "payment.voided"]


def test_taken_money_is_not_let_go(captured: "Checkout", provider: "FakeProvider") -> None:
    assert _is_refused(captured, captured.cancellation())

    assert captured.work() == 0
    assert provider.statuses == {"pay_1": "captured"}


def test_money_that_is_being_taken_is_not_let_go(
    authorized: "Checkout", provider: "FakeProvider"
) -> None:
    authorized.hear(authorized.confirmed())

    assert _is_refused(authorized, authorized.cancellation())

    assert not authorized.payment.void_requested
    authorized.work()
    assert authorized.told() == ["payment.authorized", "payment.captured"]
    assert provider.paths == ["/v1/payments", "/v1/payments/{id}/capture"]


# --- What fits no state


def test_an_order_without_a_payment_cannot_be_captured(checkout: "Checkout") -> None:
    assert _is_refused(checkout, checkout.confirmed())


def test_an_order_whose_payment_is_not_answered_cannot_be_captured(checkout: "Checkout") -> None:
    checkout.hear(checkout.reserved())

    assert _is_refused(checkout, checkout.confirmed())
    assert [operation["kind"] for operation in checkout.operations] == ["authorize"]


def test_an_order_whose_money_is_to_be_let_go_cannot_be_captured(authorized: "Checkout") -> None:
    authorized.hear(authorized.cancellation())

    assert _is_refused(authorized, authorized.confirmed())
    assert [operation["kind"] for operation in authorized.operations] == ["authorize", "void"]


@pytest.mark.parametrize("state", ["declined", "voided"])
def test_an_order_without_held_money_cannot_be_captured(
    request: pytest.FixtureRequest, state: str
) -> None:
    checkout: Checkout = request.getfixturevalue(state)

    assert _is_refused(checkout, checkout.confirmed())
    assert checkout.ledger == []


def test_an_impossible_event_does_not_undo_its_neighbours(
    checkout: "Checkout", new_checkout: Callable[[], "Checkout"]
) -> None:
    impossible, last = new_checkout(), new_checkout()

    outcome = checkout.hear(checkout.reserved(), impossible.confirmed(), last.reserved())

    assert len(outcome.dead) == 1
    assert checkout.work() == 2
    assert (checkout.told(), last.told()) == (["payment.authorized"], ["payment.authorized"])


# --- What is malformed


@pytest.mark.parametrize(
    "fault",
    [
        {"order_id": "order 4000000000000002"},
        {"order_id": "\x00"},
        {"order_id": None},
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": 2**63},
        {"amount_minor": 19.99},
        {"amount_minor": "1999"},
        {"amount_minor": True},
        {"currency": "dollars"},
        {"currency": "usd"},
        {"payment_method": ""},
        {"payment_method": "pm_\x00"},
        {"payment_method": "x" * 10_000},
        {"payment_method": "pm_4242424242424242"},
        {"payment_method": "pm_4242_4242_4242_4242"},
        {"customer_id": "4242424242424242"},
        {"customer_id": "\x00"},
        {"customer_id": None},
    ],
    ids=repr,
)
def test_a_malformed_reservation_is_dead_lettered_at_once_without_its_content(
    checkout: "Checkout", provider: "FakeProvider", fault: dict[str, Any]
) -> None:
    outcome = checkout.hear(checkout.reserved(**fault))

    ((_, reason),) = outcome.dead
    assert next(iter(fault)) in reason
    assert "4000000000000002" not in reason
    assert outcome.left == []
    assert checkout.work() == 0
    assert provider.calls == []
    with pytest.raises(PaymentNotFound):
        _ = checkout.payment


@pytest.mark.parametrize("event_type", ["order.confirmed", "order.cancellation_requested"])
@pytest.mark.parametrize("data", [{}, {"order_id": "\x00"}, {"order_id": "1"}], ids=repr)
def test_an_event_about_no_order_is_dead_lettered_at_once(
    checkout: "Checkout", event_type: str, data: dict[str, Any]
) -> None:
    outcome = checkout.hear(Event(event_type, "no order", data))

    ((_, reason),) = outcome.dead
    assert "order_id" in reason
    assert outcome.left == []


def test_a_producer_may_add_members(checkout: "Checkout") -> None:
    checkout.hear(checkout.reserved(loyalty_points=7))

    assert checkout.payment.status is PaymentStatus.INITIATED


# --- The provider refuses, or talks nonsense


@pytest.mark.parametrize("status", [401, 403, 404, 409, 422])
def test_a_refused_question_stays_due_and_is_logged(
    checkout: "Checkout", provider: "FakeProvider", status: int
) -> None:
    provider.before = [lambda: httpx.Response(status)]
    checkout.hear(checkout.reserved())

    with capture_logs() as logs:
        checkout.work()

    (operation,) = checkout.operations
    assert operation["state"] == "due"
    assert operation["last_error"].startswith(f"RefusedByProvider: the provider answered {status}")
    (log,) = [entry for entry in logs if entry["event"] == "operation_postponed"]
    assert log["order_id"] == checkout.order_id
    assert str(status) in log["error"]
    assert checkout.told() == []


def test_a_refused_question_is_asked_again_once_it_is_mended(
    monkeypatch: pytest.MonkeyPatch, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    monkeypatch.setattr(worker.operations, "RETRY_S", 60.0)  # Longer than any machine takes here.
    provider.before = [lambda: httpx.Response(401)]
    checkout.hear(checkout.reserved())
    checkout.work()

    assert checkout.work() == 0
    checkout.wait(60)
    checkout.work()

    assert len(set(provider.keys)) == 1
    assert checkout.told() == ["payment.authorized"]


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "pay_1", "status": "initiated"},
        {"id": "pay_1", "status": "requires_action"},
        {"id": "pay_\x00", "status": "authorized"},
        {"id": "pay_1", "status": "declined", "decline_code": "\x00"},
        {},
    ],
    ids=repr,
)
def test_nonsense_from_the_provider_changes_nothing_and_stays_due(
    checkout: "Checkout", provider: "FakeProvider", answer: dict[str, Any]
) -> None:
    provider.before = [lambda: httpx.Response(200, json=answer)]
    checkout.hear(checkout.reserved())
    checkout.work()

    (operation,) = checkout.operations
    assert operation["state"] == "due"
    assert operation["last_error"]
    assert checkout.payment.status is PaymentStatus.UNKNOWN
    checkout.wait(60)
    checkout.work()
    assert checkout.told() == ["payment.authorized"]


def test_an_answer_about_another_payment_is_not_taken_for_ours(
    authorized: "Checkout", provider: "FakeProvider"
) -> None:
    provider.before = [lambda: httpx.Response(200, json={"id": "pay_9", "status": "captured"})]
    authorized.hear(authorized.confirmed())
    authorized.work()

    assert authorized.payment.provider_payment_id == "pay_1"
    assert authorized.ledger == []


def test_a_refused_order_does_not_hold_up_the_others(
    checkout: "Checkout", new_checkout: Callable[[], "Checkout"], provider: "FakeProvider"
) -> None:
    others = [new_checkout() for _ in range(HANDS)]
    provider.before = [lambda: httpx.Response(401)]
    checkout.hear(*(one.reserved() for one in [checkout, *others]))

    checkout.work()
    checkout.work()

    # By now the refused one may have been due again, on a slow machine.
    told = [one.told() for one in [checkout, *others]]
    assert told.count(["payment.authorized"]) >= HANDS


# --- The loop


def test_nothing_is_due_where_nothing_happened(checkout: "Checkout") -> None:
    assert checkout.work() == 0


def test_a_slow_card_delays_no_other(
    db: Database,
    checkout: "Checkout",
    new_checkout: Callable[[], "Checkout"],
    provider_client: PaymentProvider,
) -> None:
    other = new_checkout()
    release = threading.Event()

    def perform(operation: Operation) -> Fact:
        if operation.payment.order_id == checkout.order_id:
            release.wait(WITHIN_S)
        return provider_client.perform(operation)

    loop = Operations(db, perform)
    told = threading.Event()
    db.wakers = {RELAY: told.set}
    checkout.hear(checkout.reserved())
    assert loop.run_once() == 1
    checkout.hear(other.reserved())
    assert loop.run_once() == 1
    assert told.wait(WITHIN_S), "the other call has not woken the relay"

    assert other.told() == ["payment.authorized"]
    assert checkout.told() == []
    release.set()
    loop.close()
    assert checkout.told() == ["payment.authorized"]


def test_what_is_due_wakes_the_loop_that_asks_and_an_end_only_where_some_may_wait(
    db: Database, checkout: "Checkout", new_checkout: Callable[[], "Checkout"]
) -> None:
    release = threading.Event()

    def perform(_: Operation) -> Fact:
        release.wait(WITHIN_S)
        raise OutcomeUnknown("nobody answers")

    one_hand, two_hands = (Operations(db, perform, hands=hands) for hands in (1, 2))
    for loop, whose in ((one_hand, checkout), (two_hands, new_checkout())):
        db.wakers = {loop.loop.name: loop.loop.wake.set}
        whose.hear(whose.reserved())
        assert loop.loop.wake.is_set()
        loop.loop.wake.clear()
        loop.run_once()
    release.set()
    one_hand.close()
    two_hands.close()

    assert one_hand.loop.wake.is_set()
    assert not two_hands.loop.wake.is_set()


def test_no_more_is_claimed_than_there_are_hands(
    db: Database, new_checkout: Callable[[], "Checkout"], provider_client: PaymentProvider
) -> None:
    release = threading.Event()

    def perform(operation: Operation) -> Fact:
        release.wait(WITHIN_S)
        return provider_client.perform(operation)

    loop = Operations(db, perform, hands=2)
    checkouts = [new_checkout() for _ in range(3)]
    checkouts[0].hear(*(one.reserved() for one in checkouts))

    assert loop.run_once() == 2
    assert loop.run_once() == 0
    assert sorted(row["attempts"] for row in checkouts[0].operations) == [0, 1, 1]
    release.set()
    loop.finish()
    assert loop.run_once() == 1
    loop.close()
    assert [one.told() for one in checkouts] == [["payment.authorized"]] * 3


def test_a_fault_of_ours_leaves_the_operation_to_its_lease(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    def perform(_: Operation) -> Fact:
        raise ZeroDivisionError

    broken = Operations(db, perform)
    checkout.hear(checkout.reserved())

    with capture_logs() as logs:
        broken.run_once()
        broken.close()

    assert [log["event"] for log in logs if log["log_level"] == "error"] == [
        "operation_left_to_its_lease"
    ]
    assert checkout.work() == 0
    checkout.wait(60)
    assert checkout.work() == 1
    assert checkout.told() == ["payment.authorized"]


def test_a_database_that_is_away_is_no_fault_of_ours(db: Database, checkout: "Checkout") -> None:
    def perform(_: Operation) -> Fact:
        raise OperationalError("SELECT 1", {}, psycopg2.OperationalError("server closed"))

    cut_off = Operations(db, perform)
    checkout.hear(checkout.reserved())

    with capture_logs() as logs:
        cut_off.run_once()
        cut_off.close()

    told = [log for log in logs if log["event"] == "operation_left_to_its_lease"]
    assert [(log["log_level"], log["error"]) for log in told] == [("warning", "OperationalError")]


def test_the_provider_is_called_in_the_checkouts_trace(
    db: Database, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    traces: list[str | None] = []
    provider.on_call = lambda: traces.append(tracing.current_trace_id())
    reserved, confirmed = checkout.reserved(), checkout.confirmed()

    for event in (reserved, confirmed):
        checkout.hear(
            Event(event.type, event.subject, event.data, event.id, traceparent=TRACEPARENT)
        )
        checkout.work()

    assert traces == [TRACE_ID, TRACE_ID]
    assert {row["traceparent"].split("-")[1] for row in checkout.operations} == {TRACE_ID}
    with db.transaction() as tx:
        told = tx.scalars(text("SELECT traceparent FROM outbox")).all()
    assert [traceparent.split("-")[1] for traceparent in told] == [TRACE_ID, TRACE_ID]


def test_a_void_that_follows_an_authorization_stays_in_the_trace(
    checkout: "Checkout", provider: "FakeProvider"
) -> None:
    traces: list[str | None] = []
    provider.on_call = lambda: traces.append(tracing.current_trace_id())
    reserved = checkout.reserved()
    traced = Event(reserved.type, reserved.subject, reserved.data, traceparent=TRACEPARENT)
    checkout.hear(traced)
    first = checkout.claim()
    checkout.hear(checkout.cancellation())

    perform_operation(checkout.db, checkout.provider.perform, first[0])
    checkout.work()

    assert traces == [TRACE_ID, TRACE_ID]


def test_no_transaction_is_open_while_the_provider_is_called(
    db: Database, database_url: str, checkout: "Checkout", provider: "FakeProvider"
) -> None:
    open_: list[tuple[int, int]] = []
    pool = db.engine.pool
    assert isinstance(pool, QueuePool)
    engine = create_engine(database_url, poolclass=NullPool)

    def count() -> None:
        with engine.connect() as connection:
            found = connection.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL"
                    " AND datname = current_database() AND pid <> pg_backend_pid()"
                    " AND backend_type = 'client backend'"
                )
            )
            # A connection that is held for a transaction to come is one too many as well.
            open_.append((found or 0, pool.checkedout()))

    with db.transaction() as tx:
        tx.execute(text("SELECT 1"))
        count()  # So that a nought means something.
    provider.on_call = count
    checkout.hear(checkout.reserved())
    checkout.work()

    assert open_ == [(1, 1), (0, 0)]


@pytest.mark.parametrize(
    "customer_id",
    # As one guest in a hundred has it: such payments were never asked for, till a replay told.
    ["01a2079f-4242-7424-8242-424242424242", "42424242-4242-4242-8000-000000000000"],
)
def test_an_id_whose_digits_pass_luhn_by_chance_is_an_id(
    checkout: "Checkout", provider: "FakeProvider", customer_id: str
) -> None:
    assert checkout.hear(checkout.reserved(customer_id=customer_id)).dead == []


def _never(_: Operation) -> Fact:
    raise AssertionError


def test_a_hand_that_is_freed_while_others_are_claimed_wakes_the_loop(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors = {"a": threading.Event(), "b": threading.Event()}
    monkeypatch.setattr(
        worker, "perform_operation", lambda _db, _perform, one: doors[one].wait(WITHIN_S)
    )
    hands = Operations(db, _never, hands=2)

    def claim(_tx: object, _free: int) -> list[str]:
        if not hands._under_way:
            return ["a"]
        doors["a"].set()
        hands.loop.wake.wait(WITHIN_S)  # Until that hand is free.
        return ["b"]

    monkeypatch.setattr(worker.operations, "claim", claim)
    hands.run_once()
    hands.run_once()
    woken = hands.loop.wake.is_set()
    doors["b"].set()
    hands.close()

    assert woken
