from typing import Any

import pytest
from cart import store, use_cases
from cart.domain import Line
from cart.worker import HANDLERS
from common.consumer import RECEIVES_MAX
from common.db import Database
from common.events import Event
from common.ids import new_id
from common.testing import deliver

ORDER_ID = new_id()


@pytest.fixture(autouse=True)
def cart_of_ana(db: Database) -> None:
    with db.transaction() as tx:
        store.replace_lines(tx, "ana", [Line("MUG-1", 3), Line("JAR-1", 1)])


def order_confirmed(order_id: str = ORDER_ID, **changes: Any) -> Event:
    bought = [
        {"sku": sku, "name": sku, "quantity": quantity, "unit_price_minor": 100}
        for sku, quantity in {"MUG-1": 2, "JAR-1": 1}.items()
    ]
    data = {
        "order_id": order_id, "customer_id": "ana", "email": "ana@example.com",
        "total_minor": 300, "currency": "USD", "lines": bought,
    }  # fmt: skip
    return Event("order.confirmed", order_id, data | changes)


def lines(db: Database, customer_id: str = "ana") -> dict[str, int]:
    with db.transaction() as tx:
        return {line.sku: line.quantity for line in store.get(tx, customer_id).lines}


def test_what_was_bought_leaves_the_cart(db: Database) -> None:
    outcome = deliver(db, HANDLERS, order_confirmed())

    assert lines(db) == {"MUG-1": 1}
    assert (outcome.left, outcome.dead) == ([], [])


def test_the_same_event_twice_takes_it_out_once(db: Database) -> None:
    event = order_confirmed()

    deliver(db, HANDLERS, event, event)
    deliver(db, HANDLERS, event)

    assert lines(db) == {"MUG-1": 1}


def test_the_same_order_told_by_another_event_takes_nothing_more(db: Database) -> None:
    deliver(db, HANDLERS, order_confirmed())
    with db.transaction() as tx:
        use_cases.put_line(tx, "ana", Line("MUG-1", 2))

    outcome = deliver(db, HANDLERS, order_confirmed())

    assert lines(db) == {"MUG-1": 2}
    assert (outcome.left, outcome.dead) == ([], [])


def test_another_order_takes_out_its_own(db: Database) -> None:
    deliver(db, HANDLERS, order_confirmed(), order_confirmed(new_id()))

    assert lines(db) == {}


def test_late_news_leaves_what_was_put_in_since(db: Database) -> None:
    with db.transaction() as tx:
        use_cases.replace_cart(tx, "ana", (Line("TENT-1", 1), Line("MUG-1", 5)))

    deliver(db, HANDLERS, order_confirmed())

    assert lines(db) == {"TENT-1": 1, "MUG-1": 3}


def test_the_cart_of_somebody_else_stays_as_it_is(db: Database) -> None:
    outcome = deliver(db, HANDLERS, order_confirmed(customer_id="bob"))

    assert lines(db) == {"MUG-1": 3, "JAR-1": 1}
    assert lines(db, "bob") == {}
    assert (outcome.left, outcome.dead) == ([], [])


def test_lines_of_one_product_add_up(db: Database) -> None:
    mug = {"sku": "MUG-1", "quantity": 1}

    deliver(db, HANDLERS, order_confirmed(lines=[mug, mug]))

    assert lines(db) == {"MUG-1": 1, "JAR-1": 1}


def test_a_reader_of_the_cart_learns_that_it_changed(db: Database) -> None:
    deliver(db, HANDLERS, order_confirmed())

    with db.transaction() as tx:
        assert store.get(tx, "ana").version == 2


@pytest.mark.parametrize(
    "event",
    [
        Event("order.confirmed", ORDER_ID, {}),
        order_confirmed(lines=None),
        order_confirmed(lines=[{"sku": "MUG-1"}]),
        order_confirmed(lines=[{"sku": "MUG-1", "quantity": 0}]),
        order_confirmed(lines=[{"sku": "MUG-1", "quantity": "2"}]),
        order_confirmed(order_id="not-a-uuid"),
        order_confirmed(customer_id=""),
        order_confirmed(customer_id="a\x00"),
        order_confirmed(customer_id=7),
    ],
    ids=[
        "empty", "no lines", "no quantity", "quantity 0", "quantity as text", "order id",
        "no customer", "NUL", "number",
    ],
)  # fmt: skip
def test_what_is_no_confirmed_order_is_dead_lettered_with_the_reason(
    db: Database, event: Event
) -> None:
    outcome = deliver(db, HANDLERS, event, receives=RECEIVES_MAX)

    assert lines(db) == {"MUG-1": 3, "JAR-1": 1}
    assert outcome.left == []
    assert [reason.partition(":")[0] for _, reason in outcome.dead] == ["MalformedEvent"]


def test_the_reason_tells_nothing_about_the_customer(db: Database) -> None:
    event = order_confirmed(email="ana@example.com", customer_id=["ana@example.com"])

    outcome = deliver(db, HANDLERS, event, receives=RECEIVES_MAX)

    assert len(outcome.dead) == 1
    assert "example.com" not in outcome.dead[0][1]
