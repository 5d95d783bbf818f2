import pytest
from common.db import Database
from common.ids import new_id
from inventory import store
from inventory.domain import (
    Audit,
    AvailabilityChange,
    Change,
    Difference,
    Line,
    Missing,
    Payable,
    Reason,
    Reservation,
    ReservationState,
    Stock,
)
from inventory.store import StockMoved
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

PAYABLE = Payable("customer-1", 1999, "USD", "pm_visa")
DELIVERY = Change(Reason.RECEIPT, "delivery 7", "staff-1")
BROKEN = Change(Reason.DAMAGE, "broken", "staff-1")


NEVER_PUT_ON_THE_SHELF = """
INSERT INTO movements (sku, delta_on_hand, delta_reserved, reason) VALUES ('TEA-2', 2, 0, 'receipt')
"""


def _receive(tx: Connection, *lines: Line) -> list[Stock]:
    store.add_unknown(tx, [line.sku for line in lines])
    return store.receive(tx, lines, DELIVERY)


def _reservation(order_id: str) -> Reservation:
    return Reservation(order_id, ReservationState.HELD, PAYABLE)


def _held(db: Database, quantity: int, order_id: str | None = None) -> str:
    """An order that holds *quantity* of ten mugs."""
    order_id = order_id or new_id()
    with db.transaction() as tx:
        _receive(tx, Line("MUG-1", 10))
        store.hold(tx, _reservation(order_id), [Line("MUG-1", quantity)], cause=new_id())
    return order_id


def test_receipts_add_up(db: Database) -> None:
    with db.transaction() as tx:
        _receive(tx, Line("MUG-1", 3), Line("TEA-2", 1))
        left = _receive(tx, Line("MUG-1", 4))

    assert left == [Stock("MUG-1", on_hand=7, reserved=0)]


def test_an_adjustment_takes_away(db: Database) -> None:
    with db.transaction() as tx:
        _receive(tx, Line("MUG-1", 3))
        left = store.adjust(tx, "MUG-1", -2, BROKEN)

    assert left == Stock("MUG-1", on_hand=1, reserved=0)


def test_levels_leave_out_what_was_never_in_stock(db: Database) -> None:
    with db.transaction() as tx:
        _receive(tx, Line("MUG-1", 3))
        found = store.levels(tx, ["MUG-1", "TEA-2"])

    assert found == {"MUG-1": Stock("MUG-1", 3, 0)}


def test_holding_reserves_and_tells_what_is_left(db: Database) -> None:
    order_id = new_id()
    with db.transaction() as tx:
        _receive(tx, Line("MUG-1", 10), Line("TEA-2", 10))

        changes = store.hold(
            tx, _reservation(order_id), [Line("MUG-1", 4), Line("TEA-2", 1)], cause=new_id()
        )

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
        _receive(tx, Line("MUG-1", 10))
        store.hold(tx, _reservation(order_id), [Line("MUG-1", 4)], cause=cause)
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

        assert store.lock_reservation(tx, reservation.order_id) == reservation


def test_an_unknown_order_has_no_reservation(db: Database) -> None:
    with db.transaction() as tx:
        assert store.lock_reservation(tx, new_id()) is None


def test_a_state_is_changed(db: Database) -> None:
    order_id = _held(db, 4)

    with db.transaction() as tx:
        store.set_state(tx, order_id, ReservationState.COMMITTED)
        changed = store.lock_reservation(tx, order_id)

    assert changed == Reservation(order_id, ReservationState.COMMITTED, PAYABLE)


# --- Lists, the book and its audit


def _plant(db: Database, statement: str) -> None:
    with db.transaction() as tx:
        tx.execute(text(statement))


def test_stock_is_listed_by_sku_from_behind_another(db: Database) -> None:
    with db.transaction() as tx:
        _receive(tx, Line("A", 1), Line("B", 5), Line("C", 6), Line("D", 7))

        assert [found.sku for found in store.list_stock(tx, "A", (0, None), 2)] == ["B", "C"]
        assert [found.sku for found in store.list_stock(tx, "", (5, 6), 9)] == ["B", "C"]


def test_holding_takes_a_sku_into_a_lower_list(db: Database) -> None:
    _held(db, 6)

    with db.transaction() as tx:
        assert [found.sku for found in store.list_stock(tx, "", (1, 5), 9)] == ["MUG-1"]


def test_movements_are_listed_latest_first(db: Database) -> None:
    order_id = _held(db, 4)
    with db.transaction() as tx:
        store.adjust(tx, "MUG-1", -1, BROKEN)

        latest, before = store.list_movements(tx, "MUG-1", None, 2)
        (first,) = store.list_movements(tx, "MUG-1", before.id, 2)

    assert (latest.reason, latest.delta_on_hand, latest.actor) == (Reason.DAMAGE, -1, "staff-1")
    assert (before.reason, before.delta_reserved, before.order_id) == (
        Reason.RESERVE,
        4,
        order_id,
    )
    assert (first.reason, first.note) == (Reason.RECEIPT, "delivery 7")


def test_a_movement_of_a_return_names_its_order(db: Database) -> None:
    order_id, return_id = _held(db, 4), new_id()
    with db.transaction() as tx:
        store.add_return(tx, return_id, order_id, cause=new_id())
        store.restock(tx, return_id, [Line("MUG-1", 1)], cause=new_id())

        latest = store.list_movements(tx, "MUG-1", None, 1)[0]
        back = store.returned_lines(tx, order_id)

    assert (latest.reason, latest.order_id, latest.return_id) == (
        Reason.RETURN,
        order_id,
        return_id,
    )
    assert back == [Line("MUG-1", 1)]


def test_the_database_refuses_to_restock_a_return_twice(db: Database) -> None:
    order_id, return_id = _held(db, 4), new_id()
    with db.transaction() as tx:
        store.add_return(tx, return_id, order_id, cause=new_id())
        store.restock(tx, return_id, [Line("MUG-1", 1)], cause=new_id())

    with pytest.raises(IntegrityError, match="once_a_return"), db.transaction() as tx:
        store.restock(tx, return_id, [Line("MUG-1", 1)], cause=new_id())
    with pytest.raises(IntegrityError), db.transaction() as tx:
        store.add_return(tx, return_id, order_id, cause=new_id())


def test_more_than_is_free_cannot_be_written_off_even_if_nobody_checked(db: Database) -> None:
    _held(db, 8)

    with pytest.raises(StockMoved), db.transaction() as tx:
        store.adjust(tx, "MUG-1", -3, BROKEN)


def test_an_audit_of_a_true_book_finds_nothing(db: Database) -> None:
    _held(db, 4)

    with db.transaction() as tx:
        assert store.audit(tx, 10) == Audit(skus=1, movements=2, different=0, differences=())


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("UPDATE stock SET on_hand = 11", Difference("MUG-1", 11, 4, 10, 4, 4)),
        ("UPDATE stock SET reserved = 3", Difference("MUG-1", 10, 3, 10, 4, 4)),
        ("UPDATE reservations SET state = 'released'", Difference("MUG-1", 10, 4, 10, 4, 0)),
        ("UPDATE reservation_lines SET quantity = 5", Difference("MUG-1", 10, 4, 10, 4, 5)),
        (NEVER_PUT_ON_THE_SHELF, Difference("TEA-2", None, None, 2, 0, 0)),
        ("INSERT INTO stock VALUES ('TEA-2', 2, 0)", Difference("TEA-2", 2, 0, 0, 0, 0)),
    ],
)
def test_an_audit_finds_what_was_changed_without_the_book(
    db: Database, planted: str, found: Difference
) -> None:
    _held(db, 4)
    _plant(db, planted)

    with db.transaction() as tx:
        audit = store.audit(tx, 10)

    assert (audit.different, audit.differences) == (1, (found,))


def test_an_audit_shows_the_first_differences_and_counts_all(db: Database) -> None:
    _plant(db, "INSERT INTO stock VALUES ('B', 1, 0), ('A', 1, 0), ('C', 1, 0)")

    with db.transaction() as tx:
        audit = store.audit(tx, 2)

    assert audit.different == 3
    assert [each.sku for each in audit.differences] == ["A", "B"]


def test_every_balance_is_recomputed_by_the_view(db: Database) -> None:
    order_id = _held(db, 4)
    with db.transaction() as tx:
        store.commit(tx, order_id, cause=new_id())

        rows = tx.execute(text("SELECT sku, on_hand, reserved FROM balances_from_movements"))

        assert [tuple(row) for row in rows] == [("MUG-1", 6, 0)]


@pytest.mark.parametrize(
    "statement", ["UPDATE returns SET cause_event_id = order_id", "DELETE FROM returns"]
)
def test_the_service_cannot_undo_a_return(db: Database, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), db.transaction() as tx:
        tx.execute(text(statement))
