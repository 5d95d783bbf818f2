"""Neighbours' answers move real orders on; the watchdog asks for those that do not come."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common.db import Database
from common.events import Event, parse
from common.retries import RetryBudget
from common.testing import deliver, promised, published, until_a_session_waits
from order.use_cases import orders as use_cases
from order.worker import HANDLERS, Watchdog, earning, prepare
from order_fixtures import Ana, FakeCatalog
from sqlalchemy import text


def answer(event_type: str, order_id: str) -> Event:
    return promised(event_type, order_id, {"order_id": order_id})


def types(db: Database) -> list[str]:
    return [event.type for event in published(db)]


def test_a_paid_order_is_confirmed_and_settled(db: Database, ana: Ana) -> None:
    order_id = ana.place().json["id"]

    for event in ("stock.reserved", "payment.authorized", "payment.captured", "stock.committed"):
        outcome = deliver(db, HANDLERS, answer(event, order_id))
        assert outcome.dead == []

    order = ana.read(order_id).json
    assert (order["status"], order["settled"]) == ("confirmed", True)
    assert [entry["event"] for entry in order["history"]] == [
        "order.placed", "stock.reserved", "payment.authorized", "payment.captured",
        "stock.committed",
    ]  # fmt: skip
    assert [entry["version"] for entry in order["history"]] == [1, 2, 3, 4, 5]
    assert types(db) == ["order.placed", "order.confirmed"]
    assert published(db)[1].data["lines"] == order["lines"]


def test_the_greatest_order_there_can_be_is_told_whole(
    db: Database, ana: Ana, catalog: FakeCatalog
) -> None:
    skus = [f"{number:064}" for number in range(200)]
    catalog.prices = dict.fromkeys(skus, ("🫖" * 200, 2**31 - 1))
    placed = ana.place(lines=[{"sku": sku, "quantity": 100} for sku in skus])

    deliver(db, HANDLERS, answer("payment.authorized", placed.json["id"]))

    confirmed = published(db)[1]
    assert parse(confirmed.to_json("order")).data["lines"] == placed.json["lines"]


def test_the_same_answer_twice_confirms_once(db: Database, ana: Ana) -> None:
    order_id = ana.place().json["id"]
    event = answer("payment.authorized", order_id)

    deliver(db, HANDLERS, event, event)
    deliver(db, HANDLERS, event, answer("payment.authorized", order_id))

    assert types(db) == ["order.placed", "order.confirmed"]


def test_out_of_stock_cancels_and_settles_at_once(db: Database, ana: Ana) -> None:
    order_id = ana.place().json["id"]

    deliver(db, HANDLERS, answer("stock.rejected", order_id))

    order = ana.read(order_id).json
    assert (order["status"], order["cancel_reason"], order["settled"]) == (
        "cancelled", "out_of_stock", True,
    )  # fmt: skip
    assert published(db)[1].data["reason"] == "out_of_stock"


def test_an_illegal_answer_is_dead_lettered_and_changes_nothing(db: Database, ana: Ana) -> None:
    order_id = ana.place().json["id"]

    outcome = deliver(
        db,
        HANDLERS,
        answer("payment.captured", order_id),
        answer("stock.reserved", "0195f000-0000-7000-8000-000000000000"),
    )

    assert [reason.partition(":")[0] for _, reason in outcome.dead] == ["IllegalTransition"] * 2
    assert ana.read(order_id).json["version"] == 1


@pytest.mark.parametrize("event_type", sorted(HANDLERS))
@pytest.mark.parametrize(
    "data", [{}, {"order_id": None}, {"order_id": "7"}, {"order_id": ["ana@shoppers.example"]}]
)
def test_a_malformed_answer_is_dead_lettered_at_once(
    db: Database, event_type: str, data: dict[str, Any]
) -> None:
    outcome = deliver(db, HANDLERS, Event(event_type, "o-1", data))

    assert outcome.left == []
    assert len(outcome.dead) == 1
    assert "order_id" in outcome.dead[0][1]
    assert "example" not in outcome.dead[0][1]


def test_a_bad_neighbour_of_the_same_batch_does_no_harm(db: Database, ana: Ana) -> None:
    order_id = ana.place().json["id"]

    outcome = deliver(
        db, HANDLERS,
        answer("payment.captured", order_id),
        answer("stock.reserved", order_id),
        Event("payment.authorized", "o-1", {}),
        answer("payment.authorized", order_id),
    )  # fmt: skip

    assert len(outcome.dead) == 2
    assert ana.read(order_id).json["status"] == "confirmed"


@pytest.mark.parametrize(
    "events",
    list(itertools.permutations(("stock.reserved", "payment.authorized", "payment.voided"))),
    ids="-".join,
)
def test_a_cancelled_order_ends_settled_whatever_comes_first(
    db: Database, ana: Ana, events: tuple[str, ...]
) -> None:
    order_id = ana.place().json["id"]
    ana.cancel(order_id)

    outcome = deliver(
        db, HANDLERS, *[answer(event, order_id) for event in (*events, "stock.released")]
    )

    order = ana.read(order_id).json
    assert outcome.dead == []
    assert (order["status"], order["cancel_reason"], order["settled"]) == (
        "cancelled", "customer_cancelled", True,
    )  # fmt: skip
    assert types(db) == ["order.placed", "order.cancellation_requested", "order.cancelled"]


def test_history_counts_every_version_once(db: Database, ana: Ana) -> None:
    order_id = ana.place().json["id"]
    ana.cancel(order_id)
    for event in ("stock.reserved", "stock.reserved", "payment.authorized", "payment.voided"):
        deliver(db, HANDLERS, answer(event, order_id))

    order = ana.read(order_id).json

    assert [entry["version"] for entry in order["history"]] == [1, 2, 3, 4, 5]
    assert order["history"][-1]["event"] == "payment.voided"
    assert order["version"] == 5


def test_confirm_and_cancel_at_the_same_moment_never_both_win(db: Database, ana: Ana) -> None:
    for number in range(10):
        order_id = ana.place(f"k-{number}").json["id"]
        barrier, statuses = threading.Barrier(2), []

        def cancel(
            barrier: threading.Barrier = barrier,
            order_id: str = order_id,
            statuses: list[int] = statuses,
        ) -> None:
            barrier.wait()
            statuses.append(ana.cancel(order_id).status_code)

        thread = threading.Thread(target=cancel)
        thread.start()
        barrier.wait()
        deliver(db, HANDLERS, answer("payment.authorized", order_id))
        thread.join()

        confirmed = ana.read(order_id).json["status"] == "confirmed"
        assert statuses == [409 if confirmed else 202]


def at(db: Database, later: timedelta) -> int:
    with db.transaction() as tx:
        return use_cases.nudge_waiting_orders(tx, datetime.now(UTC) + later, 50)


def test_nothing_is_asked_again_too_early(db: Database, ana: Ana) -> None:
    ana.place()

    assert Watchdog(db, 1.0, RetryBudget()).nudge() == 0
    assert types(db) == ["order.placed"]


def test_a_step_that_did_not_come_is_asked_for_again_ever_more_rarely(
    db: Database, ana: Ana
) -> None:
    ana.place()

    nudges = [at(db, timedelta(seconds=31)), at(db, timedelta(seconds=60))]
    nudges += [at(db, timedelta(seconds=92))]

    assert nudges == [1, 0, 1]
    assert types(db) == ["order.placed"] * 3
    first, second, _ = published(db)
    assert first.data == second.data
    assert first.id != second.id


def test_no_pause_leads_past_the_deadline(db: Database, ana: Ana) -> None:
    ana.place()
    for minutes in (1, 4, 9, 14):
        assert at(db, timedelta(minutes=minutes)) == 1

    assert at(db, timedelta(minutes=15, seconds=1)) == 1

    assert types(db)[-1] == "order.cancellation_requested"


@pytest.mark.parametrize(
    ("answers", "asked_again"),
    [
        (["payment.authorized"], "order.confirmed"),
        (["payment.authorized", "payment.captured"], "order.confirmed"),
        (["payment.declined"], "order.cancelled"),
    ],
)
def test_a_decided_order_is_asked_about_until_it_is_settled(
    db: Database, ana: Ana, answers: list[str], asked_again: str
) -> None:
    order_id = ana.place().json["id"]
    deliver(db, HANDLERS, *[answer(event, order_id) for event in answers])
    version = ana.read(order_id).json["version"]

    at(db, timedelta(days=1))

    assert types(db)[-2:] == [asked_again, asked_again]
    assert published(db)[-1].data == published(db)[-2].data
    assert ana.read(order_id).json["version"] == version


def test_a_hurried_saga_has_shorter_deadlines(db: Database, ana: Ana) -> None:
    ana.place()
    watchdog = Watchdog(db, 60.0, RetryBudget())

    asked = watchdog.nudge(datetime.now(UTC) + timedelta(seconds=31))
    again = watchdog.nudge(datetime.now(UTC) + timedelta(seconds=33))

    assert (asked, again) == (1, 1)


def test_no_more_is_asked_again_than_the_answers_allow(db: Database, ana: Ana) -> None:
    """Neighbours that are late because there is too much for them get no more for it."""
    later = datetime.now(UTC) + timedelta(minutes=1)
    order_ids = [ana.place(key=key).json["id"] for key in ("k-1", "k-2", "k-3")]
    budget = RetryBudget(saved_max=1)
    watchdog = Watchdog(db, 1.0, budget)
    heard = {type_: earning(budget, handler) for type_, handler in HANDLERS.items()}

    at_first = [watchdog.nudge(later) for _ in range(3)]
    deliver(db, heard, *[answer("stock.reserved", order_ids[0]) for _ in range(11)])
    earned = [watchdog.nudge(later) for _ in range(2)]

    assert (at_first, earned) == ([1, 0, 0], [1, 0])
    assert types(db) == ["order.placed"] * 5


def test_orders_that_nobody_can_settle_do_not_starve_one_that_is_undecided(
    db: Database, ana: Ana
) -> None:
    """Theirs is the longer wait, and it has no end; only the other has a deadline."""
    stuck = [ana.place(key=key).json["id"] for key in ("k-1", "k-2", "k-3")]
    deliver(db, HANDLERS, *[answer("payment.authorized", order_id) for order_id in stuck])
    undecided = ana.place(key="k-4").json["id"]
    watchdog = Watchdog(db, 1.0, RetryBudget(saved_max=1))

    assert watchdog.nudge(datetime.now(UTC) + timedelta(hours=1)) == 1
    assert published(db)[-1].subject == undecided


def test_two_batches_lock_their_orders_in_one_order(db: Database, ana: Ana) -> None:
    """Answers to two orders come to two workers at the same time, each in an order of its own."""
    first, second = sorted(ana.place(key=key).json["id"] for key in ("k-1", "k-2"))
    lock = text("SELECT 1 FROM orders WHERE id = :id FOR UPDATE NOWAIT")
    batch = [answer("stock.reserved", order_id) for order_id in (second, first)]

    with ThreadPoolExecutor(1) as thread:
        with db.transaction() as tx:
            tx.execute(lock, {"id": first})
            other = thread.submit(deliver, db, HANDLERS, *batch, prepare=prepare)
            until_a_session_waits(tx)
            tx.execute(lock, {"id": second})
        assert other.result().dead == []


def test_past_the_deadline_the_order_starts_to_cancel(db: Database, ana: Ana) -> None:
    order_id = ana.place().json["id"]

    at(db, timedelta(minutes=16))
    deliver(db, HANDLERS, answer("payment.voided", order_id))

    order = ana.read(order_id).json
    assert (order["status"], order["cancel_reason"]) == ("cancelled", "deadline_exceeded")
    assert types(db) == ["order.placed", "order.cancellation_requested", "order.cancelled"]


def test_a_settled_order_is_watched_no_longer(db: Database, ana: Ana) -> None:
    order_id = ana.place().json["id"]
    deliver(db, HANDLERS, answer("stock.rejected", order_id))

    assert at(db, timedelta(days=1)) == 0


def test_two_watchdogs_do_not_ask_twice(db: Database, ana: Ana) -> None:
    ana.place()
    later = datetime.now(UTC) + timedelta(seconds=31)

    with db.transaction() as first, db.transaction() as second:
        asked = (
            use_cases.nudge_waiting_orders(first, later, 50),
            use_cases.nudge_waiting_orders(second, later, 50),
        )

    assert asked == (1, 0)


def test_an_order_is_counted_when_it_is_decided_and_not_again(
    db: Database, ana: Ana, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shelf that held its goods too long is told the decision once more."""
    counted: list[dict[str, str]] = []
    monkeypatch.setattr(use_cases.finals, "add", lambda _, labels: counted.append(labels))
    order_id = ana.place().json["id"]

    for event_type in ("payment.declined", "stock.reservation_expired", "payment.declined"):
        deliver(db, HANDLERS, answer(event_type, order_id))

    assert types(db).count("order.cancelled") == 2
    assert len(counted) == 1
