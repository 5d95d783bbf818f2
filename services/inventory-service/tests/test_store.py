import pytest
from common.db import Database
from common.ids import new_id
from inventory import store
from inventory.domain import (
    AvailabilityChange,
    Line,
    Missing,
    Payable,
    Reservation,
    ReservationState,
    Stock,
)
from inventory.store import StockMoved
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

PAYABLE = Payable("customer-1", 1999, "USD", "pm_visa")


def _held(db: Database, quantity: int, order_id: str | None = None) -> str:
    """An order that holds *quantity* of ten mugs."""
    order_id = order_id or new_id()
    with db.transaction() as tx:
        store.receive(tx, [Line("MUG-1", 10)], "delivery")
        store.add_reservation(tx, Reservation(order_id, ReservationState.HELD, PAYABLE))
        store.hold(tx, order_id, [Line("MUG-1", quantity)], cause=new_id())
    return order_id


def test_receipts_add_up(db: Database) -> None:
    with db.transaction() as tx:
        store.receive(tx, [Line("MUG-1", 3), Line("TEA-2", 1)], "first")
        left = store.receive(tx, [Line("MUG-1", 4)], "second")

    assert left == [Stock("MUG-1", on_hand=7, reserved=0)]


def test_an_adjustment_takes_away(db: Database) -> None:
    with db.transaction() as tx:
        store.receive(tx, [Line("MUG-1", 3)], "")
        left = store.adjust(tx, "MUG-1", -2, "broken")

    assert left == Stock("MUG-1", on_hand=1, reserved=0)


def test_levels_leave_out_what_was_never_in_stock(db: Database) -> None:
    with db.transaction() as tx:
        store.receive(tx, [Line("MUG-1", 3)], "")
        found = store.levels(tx, ["MUG-1", "TEA-2"])

    assert found == {"MUG-1": Stock("MUG-1", 3, 0)}


def test_holding_reserves_and_tells_what_is_left(db: Database) -> None:
    order_id = new_id()
    with db.transaction() as tx:
        store.receive(tx, [Line("MUG-1", 10), Line("TEA-2", 10)], "")
        store.add_reservation(tx, Reservation(order_id, ReservationState.HELD, PAYABLE))

        changes = store.hold(tx, order_id, [Line("MUG-1", 4), Line("TEA-2", 1)], cause=new_id())

    assert sorted(changes, key=lambda change: change.sku) == [
        AvailabilityChange("MUG-1", before=10, after=6),
        AvailabilityChange("TEA-2", before=10, after=9),
    ]
    with db.transaction() as tx:
        assert store.levels(tx, ["MUG-1"]) == {"MUG-1": Stock("MUG-1", 10, 4)}
        assert store.reserved_lines(tx, order_id) == [Line("MUG-1", 4), Line("TEA-2", 1)]


def test_holding_more_than_there_is_fails_even_if_nobody_checked(db: Database) -> None:
    with pytest.raises(StockMoved):
        _held(db, 11)


def test_the_database_refuses_to_oversell(db: Database) -> None:
    _held(db, 4)

    with pytest.raises(IntegrityError, match="never_oversold"), db.transaction() as tx:
        tx.execute(text("UPDATE stock SET reserved = 11"))


def test_the_database_refuses_negative_reservations(db: Database) -> None:
    _held(db, 4)

    with pytest.raises(IntegrityError, match="never_oversold"), db.transaction() as tx:
        tx.execute(text("UPDATE stock SET reserved = -1"))


def test_releasing_gives_back(db: Database) -> None:
    order_id = _held(db, 4)

    with db.transaction() as tx:
        changes = store.release(tx, order_id, cause=new_id())
        left = store.levels(tx, ["MUG-1"])["MUG-1"]

    assert changes == [AvailabilityChange("MUG-1", before=6, after=10)]
    assert left == Stock("MUG-1", 10, 0)


def test_committing_takes_off_the_shelf(db: Database) -> None:
    order_id = _held(db, 4)

    with db.transaction() as tx:
        store.commit(tx, order_id, cause=new_id())
        left = store.levels(tx, ["MUG-1"])["MUG-1"]

    assert left == Stock("MUG-1", 6, 0)


def test_the_book_refuses_the_same_movement_of_an_order_twice(db: Database) -> None:
    order_id = _held(db, 4)
    _held(db, 4)

    with db.transaction() as tx:
        store.release(tx, order_id, cause=new_id())
    with pytest.raises(IntegrityError, match="once_an_order"), db.transaction() as tx:
        store.release(tx, order_id, cause=new_id())


@pytest.mark.parametrize(
    "statement",
    ["UPDATE movements SET delta_on_hand = 99", "DELETE FROM movements", "TRUNCATE movements"],
)
def test_the_service_cannot_rewrite_the_book(db: Database, statement: str) -> None:
    _held(db, 4)

    with pytest.raises(ProgrammingError, match="permission denied"), db.transaction() as tx:
        tx.execute(text(statement))


def test_a_movement_names_its_order_and_its_cause(db: Database) -> None:
    order_id, cause = new_id(), new_id()

    with db.transaction() as tx:
        store.receive(tx, [Line("MUG-1", 10)], "delivery 7")
        store.add_reservation(tx, Reservation(order_id, ReservationState.HELD, PAYABLE))
        store.hold(tx, order_id, [Line("MUG-1", 4)], cause=cause)
        book = tx.execute(
            text(
                "SELECT reason, delta_on_hand, delta_reserved, order_id::text,"
                " cause_event_id::text, note FROM movements ORDER BY id"
            )
        ).all()

    assert [tuple(row) for row in book] == [
        ("receipt", 10, 0, None, None, "delivery 7"),
        ("reserve", 0, 4, order_id, cause, None),
    ]


@pytest.mark.parametrize(
    "reservation",
    [
        Reservation(new_id(), ReservationState.HELD, PAYABLE),
        Reservation(new_id(), ReservationState.REJECTED, PAYABLE, (Missing("MUG-1", 2, 1),)),
        Reservation(new_id(), ReservationState.RELEASED),
    ],
    ids=lambda reservation: reservation.state,
)
def test_a_reservation_is_read_as_it_was_written(db: Database, reservation: Reservation) -> None:
    with db.transaction() as tx:
        store.add_reservation(tx, reservation)

        assert store.find_reservation(tx, reservation.order_id) == reservation


def test_an_unknown_order_has_no_reservation(db: Database) -> None:
    with db.transaction() as tx:
        assert store.find_reservation(tx, new_id()) is None


def test_a_state_is_changed(db: Database) -> None:
    order_id = _held(db, 4)

    with db.transaction() as tx:
        store.set_state(tx, order_id, ReservationState.COMMITTED)
        changed = store.find_reservation(tx, order_id)

    assert changed == Reservation(order_id, ReservationState.COMMITTED, PAYABLE)
