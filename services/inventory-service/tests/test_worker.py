import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from common.consumer import Handler
from common.db import Database
from common.events import Event
from common.ids import new_id
from common.testing import deliver, promised, published
from inventory import use_cases
from inventory.domain import Change, Line, Payable, Reason, Stock
from inventory.worker import HANDLERS, LINES_MAX, ask_about_expired
from sqlalchemy import Connection, text
from sqlalchemy.event import listen, remove

EVENTS = Path(__file__).parents[1] / "contract" / "events"
PAYABLE = Payable("customer-1", 1999, "USD", "pm_visa")
DELIVERY = Change(Reason.RECEIPT, "delivery", "staff-1")
TTL = timedelta(minutes=20)
# SQS gives a message back this often before the consumer dead-letters it.
REDELIVERIES = 4


def _placed(order_id: str, *lines: tuple[str, int]) -> Event:
    data = {
        "order_id": order_id,
        "customer_id": "customer-1",
        "amount_minor": 1999,
        "currency": "USD",
        "payment_method": "pm_visa",
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
    }
    return Event("order.placed", order_id, data)


def _confirmed(order_id: str) -> Event:
    return promised("order.confirmed", order_id, {"order_id": order_id})


def _cancelled(order_id: str) -> Event:
    data = {"order_id": order_id, "reason": "payment_declined"}
    return promised("order.cancelled", order_id, data)


def _returned(order_id: str, return_id: str, *lines: tuple[str, int]) -> Event:
    data = {
        "order_id": order_id,
        "return_id": return_id,
        "customer_id": "customer-1",
        "amount_minor": 1999,
        "currency": "USD",
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
    }
    return promised("order.returned", order_id, data)


def _sold(db: Database, *lines: tuple[str, int]) -> str:
    order_id = new_id()
    deliver(db, HANDLERS, _placed(order_id, *lines), _confirmed(order_id))
    return order_id


def _age(db: Database, order_id: str, age: timedelta) -> None:
    """As if the order had been asked *age* ago."""
    with db.transaction() as tx:
        tx.execute(
            text("UPDATE reservations SET asked_at = now() - :age WHERE order_id = :order_id"),
            {"age": age, "order_id": order_id},
        )


def _receive(db: Database, **pieces: int) -> None:
    """MUG=10 puts ten of MUG on the shelf."""
    with db.transaction() as tx:
        use_cases.receive_stock(tx, [Line(sku, n) for sku, n in pieces.items()], DELIVERY)


def _stock(db: Database, sku: str) -> Stock:
    with db.transaction() as tx:
        return use_cases.read_stock(tx, sku)


def _told(db: Database, *subjects: str) -> list[str]:
    return [event.type for event in published(db) if event.subject in subjects]


def _balances_by_movements(db: Database) -> dict[str, tuple[int, int]]:
    with db.transaction() as tx:
        rows = tx.execute(
            text(
                "SELECT sku, sum(delta_on_hand)::bigint, sum(delta_reserved)::bigint"
                " FROM movements GROUP BY sku"
            )
        )
        return {sku: (on_hand, reserved) for sku, on_hand, reserved in rows}


def _balances(db: Database) -> dict[str, tuple[int, int]]:
    with db.transaction() as tx:
        rows = tx.execute(text("SELECT sku, on_hand, reserved FROM stock"))
        return {sku: (on_hand, reserved) for sku, on_hand, reserved in rows}


# --- An order is placed


def test_an_order_reserves_all_its_lines(db: Database) -> None:
    _receive(db, MUG=10, TEA=10)
    order_id = new_id()

    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2), ("TEA", 1)))

    assert _stock(db, "MUG") == Stock("MUG", 10, 2)
    assert _stock(db, "TEA") == Stock("TEA", 10, 1)


def test_a_reservation_tells_payment_all_it_needs(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()

    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)))

    (answer,) = published(db)
    assert (answer.type, answer.subject) == ("stock.reserved", order_id)
    assert answer.data == {
        "order_id": order_id,
        "customer_id": "customer-1",
        "amount_minor": 1999,
        "currency": "USD",
        "payment_method": "pm_visa",
    }


def test_an_order_that_lacks_one_line_reserves_none(db: Database) -> None:
    _receive(db, MUG=10, TEA=1)
    order_id = new_id()

    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2), ("TEA", 2), ("JAM", 1)))

    (answer,) = [event for event in published(db) if event.subject == order_id]
    assert answer.type == "stock.rejected"
    assert answer.data == {
        "order_id": order_id,
        "missing": [
            {"sku": "JAM", "requested": 1, "available": 0},
            {"sku": "TEA", "requested": 2, "available": 1},
        ],
    }
    assert _stock(db, "MUG") == Stock("MUG", 10, 0)


def test_several_lines_of_one_sku_are_added_up(db: Database) -> None:
    _receive(db, MUG=3)
    order_id = new_id()

    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2), ("MUG", 2)))

    assert _told(db, order_id) == ["stock.rejected"]


def test_a_rejected_order_does_not_trouble_its_neighbours(db: Database) -> None:
    _receive(db, MUG=10)
    first, rejected, last = new_id(), new_id(), new_id()
    calls, handlers = _counting()

    deliver(
        db,
        handlers,
        _placed(first, ("MUG", 6)),
        _placed(rejected, ("MUG", 5)),
        _placed(last, ("MUG", 4)),
    )

    assert _told(db, first, rejected, last) == [
        "stock.reserved",
        "stock.rejected",
        "stock.reserved",
    ]
    assert _stock(db, "MUG") == Stock("MUG", 10, 10)
    assert set(calls.values()) == {1}


def test_an_impossible_event_does_not_undo_its_neighbours(db: Database) -> None:
    _receive(db, MUG=10)
    first, unknown, last = new_id(), new_id(), new_id()

    outcome = deliver(
        db, HANDLERS, _placed(first, ("MUG", 1)), _confirmed(unknown), _placed(last, ("MUG", 1))
    )

    assert len(outcome.dead) == 1
    assert _told(db, first, unknown, last) == ["stock.reserved", "stock.reserved"]


def test_the_same_message_twice_reserves_once(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()
    event = _placed(order_id, ("MUG", 2))

    deliver(db, HANDLERS, event, event)
    deliver(db, HANDLERS, event)

    assert _stock(db, "MUG").reserved == 2
    assert _told(db, order_id) == ["stock.reserved"]


def test_an_order_that_asks_again_hears_the_same_and_reserves_nothing_more(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()

    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)))
    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)))

    first, second = published(db)
    assert (first.type, first.data) == (second.type, second.data)
    assert first.id != second.id
    assert _stock(db, "MUG").reserved == 2


def test_a_rejected_order_stays_rejected_when_the_shelf_is_full_again(db: Database) -> None:
    _receive(db, MUG=1)
    order_id = new_id()
    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)))
    _receive(db, MUG=9)

    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)))

    first, second = [event for event in published(db) if event.subject == order_id]
    assert (first.type, first.data) == (second.type, second.data)
    assert second.type == "stock.rejected"


def test_a_committed_order_that_asks_again_hears_that_it_is_reserved(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()
    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)), _confirmed(order_id))

    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)))

    assert _told(db, order_id) == ["stock.reserved", "stock.committed", "stock.reserved"]
    assert _stock(db, "MUG") == Stock("MUG", 8, 0)


# --- An order is confirmed


def test_a_confirmed_order_takes_its_pieces_off_the_shelf(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()

    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)), _confirmed(order_id))

    assert _stock(db, "MUG") == Stock("MUG", 8, 0)
    assert _told(db, order_id) == ["stock.reserved", "stock.committed"]


def test_a_confirmation_that_is_told_again_is_answered_again(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()
    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)), _confirmed(order_id))

    deliver(db, HANDLERS, _confirmed(order_id))

    assert _stock(db, "MUG") == Stock("MUG", 8, 0)
    assert _told(db, order_id) == ["stock.reserved", "stock.committed", "stock.committed"]


def test_a_rejected_order_cannot_be_confirmed(db: Database) -> None:
    order_id = new_id()
    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)))

    outcome = deliver(db, HANDLERS, _confirmed(order_id))

    assert "IllegalTransition" in outcome.dead[0][1]


def test_a_cancelled_order_cannot_be_confirmed(db: Database) -> None:
    order_id = new_id()
    deliver(db, HANDLERS, _cancelled(order_id))

    outcome = deliver(db, HANDLERS, _confirmed(order_id))

    assert "IllegalTransition" in outcome.dead[0][1]


# --- An order is cancelled


def test_a_cancelled_order_gives_its_pieces_back(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()

    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)), _cancelled(order_id))

    assert _stock(db, "MUG") == Stock("MUG", 10, 0)
    assert _told(db, order_id) == ["stock.reserved", "stock.released"]


def test_a_cancellation_that_is_told_again_is_answered_again(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()
    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)), _cancelled(order_id))

    deliver(db, HANDLERS, _cancelled(order_id))

    assert _stock(db, "MUG") == Stock("MUG", 10, 0)
    assert _told(db, order_id) == ["stock.reserved", "stock.released", "stock.released"]


def test_an_order_that_its_cancellation_overtook_reserves_nothing(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()

    deliver(db, HANDLERS, _cancelled(order_id))
    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)))

    assert _stock(db, "MUG") == Stock("MUG", 10, 0)
    assert _told(db, order_id) == ["stock.released", "stock.released"]


def test_a_rejected_order_that_is_cancelled_holds_nothing(db: Database) -> None:
    order_id = new_id()

    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)), _cancelled(order_id))

    assert _told(db, order_id) == ["stock.rejected", "stock.released"]


def test_a_confirmed_order_cannot_be_released(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()
    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)), _confirmed(order_id))

    outcome = deliver(db, HANDLERS, _cancelled(order_id))

    assert "IllegalTransition" in outcome.dead[0][1]
    assert _stock(db, "MUG") == Stock("MUG", 8, 0)


# --- A customer sends something back


def test_what_comes_back_is_on_the_shelf_again(db: Database) -> None:
    _receive(db, MUG=10, TEA=10)
    order_id, return_id = _sold(db, ("MUG", 3), ("TEA", 1)), new_id()

    deliver(db, HANDLERS, _returned(order_id, return_id, ("MUG", 2)))

    assert _stock(db, "MUG") == Stock("MUG", 9, 0)
    answer = published(db)[-1]
    assert (answer.type, answer.subject) == ("stock.returned", order_id)
    assert answer.data == {"order_id": order_id, "return_id": return_id}


def test_a_return_told_again_is_answered_again_and_restocks_once(db: Database) -> None:
    _receive(db, MUG=10)
    order_id, return_id = _sold(db, ("MUG", 3)), new_id()

    deliver(db, HANDLERS, _returned(order_id, return_id, ("MUG", 1)))
    deliver(db, HANDLERS, _returned(order_id, return_id, ("MUG", 1)))

    assert _stock(db, "MUG") == Stock("MUG", 8, 0)
    assert _told(db, order_id)[-2:] == ["stock.returned", "stock.returned"]


def test_an_order_may_come_back_piece_by_piece(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = _sold(db, ("MUG", 3))

    deliver(db, HANDLERS, _returned(order_id, new_id(), ("MUG", 1)))
    deliver(db, HANDLERS, _returned(order_id, new_id(), ("MUG", 1), ("MUG", 1)))

    assert _stock(db, "MUG") == Stock("MUG", 10, 0)
    assert _balances_by_movements(db) == _balances(db)


def test_more_than_was_bought_cannot_come_back(db: Database) -> None:
    _receive(db, MUG=10, TEA=10)
    order_id = _sold(db, ("MUG", 3))
    deliver(db, HANDLERS, _returned(order_id, new_id(), ("MUG", 2)))

    too_many = deliver(db, HANDLERS, _returned(order_id, new_id(), ("MUG", 2)))
    another = deliver(db, HANDLERS, _returned(order_id, new_id(), ("TEA", 1)))

    assert "2 of MUG come back, 1 are out" in too_many.dead[0][1]
    assert "1 of TEA come back, 0 are out" in another.dead[0][1]
    assert _stock(db, "MUG") == Stock("MUG", 9, 0)


def test_what_no_order_took_cannot_come_back(db: Database) -> None:
    _receive(db, MUG=1)
    rejected = new_id()
    deliver(db, HANDLERS, _placed(rejected, ("MUG", 2)))

    for order_id in (new_id(), rejected):
        outcome = deliver(db, HANDLERS, _returned(order_id, new_id(), ("MUG", 1)))
        assert "IllegalTransition" in outcome.dead[0][1]

    assert _stock(db, "MUG") == Stock("MUG", 1, 0)


def test_a_return_of_another_order_is_refused(db: Database) -> None:
    _receive(db, MUG=10)
    first, second, return_id = _sold(db, ("MUG", 1)), _sold(db, ("MUG", 1)), new_id()
    deliver(db, HANDLERS, _returned(first, return_id, ("MUG", 1)))

    outcome = deliver(db, HANDLERS, _returned(second, return_id, ("MUG", 1)))

    assert "IllegalTransition" in outcome.dead[0][1]
    assert _stock(db, "MUG") == Stock("MUG", 9, 0)


def test_a_return_that_overtakes_the_confirmation_comes_to_the_same(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()
    deliver(db, HANDLERS, _placed(order_id, ("MUG", 3)))

    deliver(db, HANDLERS, _returned(order_id, new_id(), ("MUG", 3)), _confirmed(order_id))

    assert _stock(db, "MUG") == Stock("MUG", 10, 0)


def test_a_return_replenishes(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = _sold(db, ("MUG", 10))

    deliver(db, HANDLERS, _returned(order_id, new_id(), ("MUG", 9)))

    assert _told(db, "MUG") == ["stock.low", "stock.replenished"]


# --- An order does not come to a decision


def test_an_order_that_holds_stock_for_too_long_is_asked_and_keeps_it(db: Database) -> None:
    _receive(db, MUG=10)
    old, young = new_id(), new_id()
    deliver(db, HANDLERS, _placed(old, ("MUG", 2)), _placed(young, ("MUG", 1)))
    _age(db, old, TTL)

    asked = ask_about_expired(db, TTL)

    assert asked == 1
    question = published(db)[-1]
    assert (question.type, question.subject) == ("stock.reservation_expired", old)
    assert question.data == {"order_id": old}
    assert _stock(db, "MUG") == Stock("MUG", 10, 3)


def test_an_order_is_asked_once_a_ttl(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()
    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)))
    _age(db, order_id, TTL)

    asked = [ask_about_expired(db, TTL), ask_about_expired(db, TTL)]
    _age(db, order_id, TTL)
    asked.append(ask_about_expired(db, TTL))

    assert asked == [1, 0, 1]


@pytest.mark.parametrize("settle", [_confirmed, _cancelled], ids=["confirmed", "cancelled"])
def test_a_settled_order_is_not_asked(db: Database, settle: Callable[[str], Event]) -> None:
    _receive(db, MUG=10)
    order_id = new_id()
    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)), settle(order_id))
    _age(db, order_id, TTL)

    assert ask_about_expired(db, TTL) == 0


def test_an_order_asked_about_is_settled_as_if_it_had_not_been(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()
    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)))
    _age(db, order_id, TTL)
    ask_about_expired(db, TTL)

    deliver(db, HANDLERS, _confirmed(order_id))

    assert _stock(db, "MUG") == Stock("MUG", 8, 0)


def test_an_order_that_is_being_decided_is_not_waited_for(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()
    deliver(db, HANDLERS, _placed(order_id, ("MUG", 2)))
    _age(db, order_id, TTL)

    with db.transaction() as tx:
        use_cases.commit_stock(tx, order_id, cause=new_id())
        asked = ask_about_expired(db, TTL)

    assert asked == 0


# --- Shoppers hear of scarcity


def test_the_sixth_last_piece_makes_a_sku_scarce(db: Database) -> None:
    _receive(db, MUG=10)

    deliver(db, HANDLERS, _placed(new_id(), ("MUG", 4)), _placed(new_id(), ("MUG", 1)))

    assert [event.data for event in published(db) if event.type == "stock.low"] == [
        {"sku": "MUG", "available": 5}
    ]


def test_a_released_order_replenishes(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()

    deliver(db, HANDLERS, _placed(order_id, ("MUG", 10)), _cancelled(order_id))

    assert _told(db, "MUG") == ["stock.low", "stock.replenished"]


def test_a_sale_is_no_news_of_scarcity(db: Database) -> None:
    _receive(db, MUG=10)
    order_id = new_id()

    deliver(db, HANDLERS, _placed(order_id, ("MUG", 4)), _confirmed(order_id))

    assert _told(db, "MUG") == []


# --- Many at once


def test_an_order_of_many_lines_takes_as_many_statements_as_one_of_one(db: Database) -> None:
    skus = [f"SKU-{number}" for number in range(50)]
    _receive(db, **dict.fromkeys(skus, 100))
    small, large = [_placed(new_id(), *((sku, 1) for sku in some)) for some in (skus[:1], skus)]

    with _statements(db) as for_small:
        deliver(db, HANDLERS, small, _confirmed(small.subject))
    with _statements(db) as for_large:
        deliver(db, HANDLERS, large, _confirmed(large.subject))

    assert _stock(db, "SKU-49") == Stock("SKU-49", 99, 0)
    assert len(for_large) == len(for_small)


def test_the_longest_order_is_held_confirmed_and_returned(db: Database) -> None:
    skus = [f"{number:03}-{'S' * 60}" for number in range(LINES_MAX)]
    _receive(db, **dict.fromkeys(skus, 10))
    order_id, lines = new_id(), [(sku, 2) for sku in skus]

    deliver(db, HANDLERS, _placed(order_id, *lines), _confirmed(order_id))
    deliver(db, HANDLERS, _returned(order_id, new_id(), *lines))

    assert _told(db, order_id) == ["stock.reserved", "stock.committed", "stock.returned"]
    assert set(_balances(db).values()) == {(10, 0)}


def test_the_longest_order_that_nothing_is_there_for_fits_an_event(db: Database) -> None:
    lines = [(f"{number:03}-{'S' * 60}", 1_000_000) for number in range(LINES_MAX)]
    order_id = new_id()

    deliver(db, HANDLERS, _placed(order_id, *lines))

    (answer,) = published(db)
    assert len(answer.data["missing"]) == LINES_MAX


def test_balances_are_the_sums_of_the_movements(db: Database) -> None:
    _receive(db, MUG=10, TEA=5)
    held, sold, returned = new_id(), new_id(), new_id()

    deliver(
        db,
        HANDLERS,
        _placed(held, ("MUG", 1)),
        _placed(sold, ("MUG", 2), ("TEA", 1)),
        _placed(returned, ("TEA", 3)),
        _placed(new_id(), ("TEA", 3)),
        _confirmed(sold),
        _cancelled(returned),
    )
    with db.transaction() as tx:
        use_cases.adjust_stock(tx, "MUG", -1, Change(Reason.DAMAGE, "broken", "staff-1"))

    assert _balances(db) == {"MUG": (7, 1), "TEA": (4, 0)}
    assert _balances_by_movements(db) == _balances(db)


# --- What is malformed, and the contract


@pytest.mark.parametrize(
    "fault",
    [
        {"lines": []},
        {"lines": [{"sku": "MUG", "quantity": 0}]},
        {"lines": [{"sku": "MU\x00G", "quantity": 1}]},
        {"order_id": "not a uuid"},
        {"currency": "dollars"},
    ],
)
def test_a_malformed_order_is_dead_lettered_without_its_content(
    db: Database, fault: dict[str, Any]
) -> None:
    event = _placed(new_id(), ("MUG", 1))
    event.data.update(fault)

    outcome = deliver(db, HANDLERS, event, receives=REDELIVERIES + 1)

    ((_, reason),) = outcome.dead
    assert reason.startswith("ValidationError")
    assert "pm_visa" not in reason
    assert published(db) == []


def test_what_is_published_is_what_the_contract_says(db: Database) -> None:
    _receive(db, MUG=10)
    sold, cancelled, rejected = new_id(), new_id(), new_id()

    deliver(
        db,
        HANDLERS,
        _placed(sold, ("MUG", 1)),
        _placed(cancelled, ("MUG", 9)),
        _placed(rejected, ("MUG", 1)),
        _confirmed(sold),
        _cancelled(cancelled),
        _returned(sold, new_id(), ("MUG", 1)),
        _placed(waiting := new_id(), ("MUG", 1)),
    )
    _age(db, waiting, TTL)
    ask_about_expired(db, TTL)

    told = {event.type: event.data for event in published(db)}
    schemas = {
        path.name.removesuffix(".v1.json"): json.loads(path.read_text())
        for path in EVENTS.glob("*.json")
    }
    assert told.keys() == schemas.keys()
    for event_type, data in told.items():
        assert set(schemas[event_type]["required"]) == set(schemas[event_type]["properties"])
        assert data.keys() == schemas[event_type]["properties"].keys(), event_type


def _counting() -> tuple[Counter[str], Mapping[str, Handler]]:
    """The handlers, and how often each event reached one: more than once after a rollback."""
    calls: Counter[str] = Counter()

    def counting(handler: Handler) -> Handler:
        def handle(tx: Connection, event: Event) -> None:
            calls[event.id] += 1
            handler(tx, event)

        return handle

    return calls, {event_type: counting(handler) for event_type, handler in HANDLERS.items()}


@contextmanager
def _statements(db: Database) -> Iterator[list[str]]:
    """What is sent to the database within the block."""
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    listen(db.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        remove(db.engine, "before_cursor_execute", note)
