"""Returns over HTTP and by message: each piece once, each cent once."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common.auth import Role
from common.db import Database
from common.events import Event
from common.ids import new_id
from common.retries import RetryBudget
from common.testing import bearer, deliver, promised, published
from flask.testing import FlaskClient
from order.worker import HANDLERS, Watchdog, on_restocked
from order_fixtures import Ana, FakeCatalog
from sqlalchemy import text

REFUND_ID, ANOTHER_ID = new_id(), new_id()


@pytest.fixture
def order_id(db: Database, ana: Ana) -> str:
    """Two mugs, confirmed and paid."""
    placed: str = ana.place().json["id"]
    tell(db, "payment.authorized", placed)
    tell(db, "payment.captured", placed)
    return placed


def tell(db: Database, event_type: str, order_id: str, **data: Any) -> None:
    outcome = deliver(db, HANDLERS, promised(event_type, order_id, {"order_id": order_id} | data))
    assert outcome.dead == []


def asked(db: Database, statement: str) -> Any:
    with db.transaction() as tx:
        return tx.execute(text(statement)).scalar_one()


def events(db: Database, event_type: str) -> list[dict[str, Any]]:
    return [event.data for event in published(db) if event.type == event_type]


def test_a_return_waits_for_the_goods(db: Database, ana: Ana, order_id: str) -> None:
    response = ana.take_back(order_id, 1)

    assert response.status_code == 201
    assert (response.json["status"], response.json["amount_minor"]) == ("requested", 270)
    assert ana.returns(order_id).json["items"] == [response.json]
    assert events(db, "order.returned") == []


def test_when_staff_have_the_goods_money_and_shelf_are_told_once(
    db: Database, ana: Ana, order_id: str
) -> None:
    return_id = ana.take_back(order_id, 1).json["id"]

    answers = [ana.hand_in(order_id, return_id).json["status"] for _ in range(2)]

    assert answers == ["received", "received"]
    assert events(db, "order.returned") == [
        {
            "order_id": order_id, "return_id": return_id, "customer_id": "ana",
            "amount_minor": 270, "currency": "USD", "lines": [{"sku": "MUG-1", "quantity": 1}],
        }
    ]  # fmt: skip


def test_a_return_is_settled_by_money_and_shelf_in_any_order_told_twice(
    db: Database, ana: Ana, order_id: str
) -> None:
    return_id = ana.take_back(order_id, 1).json["id"]
    ana.hand_in(order_id, return_id)

    for _ in range(2):
        tell(db, "stock.returned", order_id, return_id=return_id)
        tell(
            db, "payment.refunded", order_id,
            refund_id=REFUND_ID, return_id=return_id, amount_minor=270,
        )  # fmt: skip

    [settled] = ana.returns(order_id).json["items"]
    assert (settled["status"], settled["restocked"]) == ("refunded", True)
    assert ana.read(order_id).json["refunded_minor"] == 270
    assert events(db, "order.refunded") == [
        {
            "order_id": order_id, "customer_id": "ana", "email": "ana@shoppers.example",
            "refund_id": REFUND_ID, "return_id": return_id, "amount_minor": 270, "currency": "USD",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("gesture_minor", "left_minor"), [(1000, 2116), (3116, 0)], ids=["less", "nothing"]
)
def test_a_return_ends_with_what_a_gesture_has_left_of_its_money(
    db: Database, ana: Ana, catalog: FakeCatalog, gesture_minor: int, left_minor: int
) -> None:
    catalog.prices["VASE-1"] = ("Vase", 2331)
    lines = [{"sku": "VASE-1", "quantity": 1}]
    vase_id = ana.place(lines=lines).json["id"]
    tell(db, "payment.authorized", vase_id)
    tell(db, "payment.captured", vase_id)
    requested = ana.take_back(vase_id, 1, lines=lines).json
    tell(
        db, "payment.refunded", vase_id,
        refund_id=ANOTHER_ID, return_id=None, amount_minor=gesture_minor,
    )  # fmt: skip
    ana.hand_in(vase_id, requested["id"])

    for _ in range(2):
        tell(db, "stock.returned", vase_id, return_id=requested["id"])
        tell(
            db, "payment.refunded", vase_id,
            refund_id=REFUND_ID, return_id=requested["id"], amount_minor=left_minor,
        )  # fmt: skip

    [ended] = ana.returns(vase_id).json["items"]
    assert (requested["amount_minor"], requested["refunded_minor"]) == (2517, 0)
    assert (ended["amount_minor"], ended["refunded_minor"]) == (2517, left_minor)
    assert (ended["status"], ended["restocked"]) == ("refunded", True)
    assert ana.read(vase_id).json["refunded_minor"] == 3116
    told = [data["amount_minor"] for data in events(db, "order.refunded")]
    assert told == [amount for amount in (gesture_minor, left_minor) if amount]
    assert asked(db, "SELECT next_nudge_at FROM returns") is None


def test_nothing_is_paid_back_for_nothing(db: Database, ana: Ana, order_id: str) -> None:
    data = {"order_id": order_id, "refund_id": REFUND_ID, "return_id": None, "amount_minor": 0}

    outcome = deliver(db, HANDLERS, promised("payment.refunded", order_id, data))

    assert len(outcome.dead) == 1


def test_the_shelf_does_not_change_when_the_money_went_back(
    db: Database, ana: Ana, order_id: str
) -> None:
    return_id = ana.take_back(order_id, 1).json["id"]
    ana.hand_in(order_id, return_id)
    tell(
        db, "payment.refunded", order_id,
        refund_id=REFUND_ID, return_id=return_id, amount_minor=270,
    )  # fmt: skip
    before = asked(db, "SELECT refunded_at FROM returns")

    tell(db, "stock.returned", order_id, return_id=return_id)

    assert before is not None
    assert asked(db, "SELECT refunded_at FROM returns") == before


def test_a_hurried_saga_misses_the_money_of_a_return_sooner(
    db: Database, ana: Ana, order_id: str
) -> None:
    return_id = ana.take_back(order_id, 1).json["id"]
    ana.hand_in(order_id, return_id)
    restocked = Event("stock.returned", order_id, {"order_id": order_id, "return_id": return_id})

    with db.transaction() as tx:
        on_restocked(tx, restocked, time_scale=60.0)

    pause = asked(db, "SELECT extract(epoch FROM next_nudge_at - now()) FROM returns")
    assert pause == pytest.approx(5, abs=4)  # Five minutes at sixty times the speed.


def test_money_given_back_by_staff_is_noted_without_a_return(
    db: Database, ana: Ana, order_id: str
) -> None:
    tell(db, "payment.refunded", order_id, refund_id=REFUND_ID, return_id=None, amount_minor=100)
    tell(db, "payment.refunded", order_id, refund_id=ANOTHER_ID, return_id=None, amount_minor=50)

    assert ana.read(order_id).json["refunded_minor"] == 150
    told = events(db, "order.refunded")
    assert [(data["return_id"], data["amount_minor"]) for data in told] == [(None, 100), (None, 50)]


def test_the_watchdog_asks_again_until_both_have_answered(
    db: Database, ana: Ana, order_id: str
) -> None:
    tell(db, "stock.committed", order_id)
    return_id = ana.take_back(order_id, 1).json["id"]
    ana.hand_in(order_id, return_id)
    later = datetime.now(UTC) + timedelta(minutes=10)
    watchdog = Watchdog(db, 1.0, RetryBudget())

    asked = [watchdog.nudge(later)]
    tell(db, "stock.returned", order_id, return_id=return_id)
    tell(
        db, "payment.refunded", order_id, refund_id=REFUND_ID, return_id=return_id, amount_minor=270
    )
    asked.append(watchdog.nudge(later + timedelta(hours=1)))

    assert asked == [1, 0]
    assert len(events(db, "order.returned")) == 2


def returns_nobody_settles(db: Database, ana: Ana, order_id: str) -> None:
    """The order is settled; two of its returns have waited too long."""
    tell(db, "stock.committed", order_id)
    for key in ("r-1", "r-2"):
        ana.hand_in(order_id, ana.take_back(order_id, 1, key=key).json["id"])


@pytest.mark.parametrize(("a_round", "rounds"), [(1, 2), (2, 1), (3, 1)])
def test_returns_that_nobody_settles_do_not_starve_an_order_nor_it_them(
    db: Database, ana: Ana, order_id: str, a_round: int, rounds: int
) -> None:
    returns_nobody_settles(db, ana, order_id)
    lost = ana.place(key="k-2").json["id"]
    later = datetime.now(UTC) + timedelta(minutes=10)
    budget = RetryBudget(saved_max=a_round, clock=lambda: 0.0)
    watchdog, before = Watchdog(db, 1.0, budget), len(published(db))

    for _ in range(rounds):
        assert watchdog.nudge(later) == a_round
        for _ in range(11 * a_round):
            budget.earn()

    told = [(event.type, event.subject) for event in published(db)[before:]]
    expected = [("order.placed", lost), *[("order.returned", order_id)] * 2]
    assert told == expected[: a_round * rounds]


def test_many_orders_do_not_starve_a_return(db: Database, ana: Ana, order_id: str) -> None:
    returns_nobody_settles(db, ana, order_id)
    for number in range(4):
        ana.place(key=f"k-{number + 2}")
    later = datetime.now(UTC) + timedelta(minutes=10)
    watchdog, before = Watchdog(db, 1.0, RetryBudget(saved_max=4)), len(published(db))

    assert watchdog.nudge(later) == 4

    told = [event.type for event in published(db)[before:]]
    assert told == ["order.placed"] * 2 + ["order.returned"] * 2


def test_what_returns_leave_of_a_round_is_the_orders(db: Database, ana: Ana, order_id: str) -> None:
    tell(db, "stock.committed", order_id)
    for number in range(4):
        ana.place(key=f"k-{number + 2}")
    later = datetime.now(UTC) + timedelta(minutes=10)

    assert Watchdog(db, 1.0, RetryBudget(saved_max=4)).nudge(later) == 4


def test_the_same_key_makes_one_return(db: Database, ana: Ana, order_id: str) -> None:
    first, second = (ana.take_back(order_id, 1) for _ in range(2))

    assert first.data == second.data
    assert len(ana.returns(order_id).json["items"]) == 1
    assert ana.take_back(order_id, 2).status_code == 422  # The key, for something else.


def test_returns_are_shown_while_their_order_is_changed(
    db: Database, ana: Ana, order_id: str
) -> None:
    with db.transaction() as tx:
        tx.execute(text("SELECT 1 FROM orders WHERE id = :id FOR UPDATE"), {"id": order_id})

        assert ana.client.get(f"/orders/{order_id}/returns", headers=ana.headers).status_code == 200


def test_two_returns_race_for_the_last_piece_and_one_wins(ana: Ana, order_id: str) -> None:
    barrier, answers = threading.Barrier(8), []

    def bring_back(number: int) -> None:
        barrier.wait()
        answers.append(ana.take_back(order_id, 2, key=f"r-{number}").status_code)

    threads = [threading.Thread(target=bring_back, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [201] + [422] * 7


def test_what_is_not_paid_cannot_be_returned(ana: Ana) -> None:
    placed = ana.place().json["id"]

    assert ana.take_back(placed, 1).json["type"] == "/problems/not-returnable"


def test_what_was_refunded_whole_is_not_paid_back_again(
    db: Database, ana: Ana, order_id: str
) -> None:
    tell(db, "payment.refunded", order_id, return_id=None, amount_minor=1139)

    assert ana.take_back(order_id, 1).json["type"] == "/problems/not-returnable"


def test_returns_are_their_customers_and_receipts_staffs(
    client: FlaskClient, ana: Ana, order_id: str
) -> None:
    url = f"/orders/{order_id}/returns"
    return_id = ana.take_back(order_id, 1).json["id"]
    eve = bearer(Role.CUSTOMER, "eve")
    body = {"lines": [{"sku": "MUG-1", "quantity": 1}], "reason": "other"}

    foreign = client.post(url, json=body, headers=eve | {"Idempotency-Key": "k"})

    assert (foreign.status_code, client.get(url, headers=eve).status_code) == (404, 404)
    receipt = f"{url}/{return_id}/receipt"
    assert client.post(receipt, json={}, headers=ana.headers).status_code == 403
    assert ana.hand_in(order_id, new_id()).status_code == 404
    assert client.get(url, headers=bearer(Role.STAFF, "sam")).status_code == 200


def test_a_refund_for_a_return_that_nobody_took_in_is_illegal(
    db: Database, ana: Ana, order_id: str
) -> None:
    return_id = ana.take_back(order_id, 1).json["id"]
    data = {
        "order_id": order_id,
        "return_id": return_id,
        "refund_id": REFUND_ID,
        "amount_minor": 270,
    }

    outcomes = [
        deliver(db, HANDLERS, promised(event_type, order_id, data))
        for event_type in ("payment.refunded", "stock.returned")
    ]

    assert [len(outcome.dead) for outcome in outcomes] == [1, 1]
    assert ana.read(order_id).json["refunded_minor"] == 0


def test_money_of_a_return_that_was_taken_in_is_promised_until_it_is_paid(
    db: Database, ana: Ana, order_id: str
) -> None:
    tell(db, "payment.refunded", order_id, return_id=None, amount_minor=700)  # Of 1139.
    first = ana.take_back(order_id, 1, key="r-1").json  # 270.
    ana.hand_in(order_id, first["id"])

    second = ana.take_back(order_id, 1, key="r-2")

    assert (second.status_code, second.json["type"]) == (409, "/problems/not-returnable")
