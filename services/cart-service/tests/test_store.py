from concurrent.futures import ThreadPoolExecutor

import pytest
from cart import store, use_cases
from cart.domain import Cart, Line
from common.db import Database
from common.ids import new_id
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

MUG, JAR = Line("MUG-1", 2), Line("JAR-1", 1)


def cart_of(db: Database, customer_id: str = "ana") -> Cart:
    with db.transaction() as tx:
        return store.get(tx, customer_id)


def test_before_the_first_change_a_cart_is_empty_and_costs_no_row(db: Database) -> None:
    assert cart_of(db) == Cart("ana", (), version=0)

    with db.transaction() as tx:
        assert store.find_locked(tx, "ana") is None


def test_what_was_put_is_read_back_in_order(db: Database) -> None:
    with db.transaction() as tx:
        first = store.replace_lines(tx, "ana", [MUG, JAR])
        second = store.replace_lines(tx, "ana", [JAR, MUG])

    assert (first, second) == (1, 2)
    assert cart_of(db) == Cart("ana", (JAR, MUG), version=2)


def test_carts_are_kept_apart(db: Database) -> None:
    with db.transaction() as tx:
        store.replace_lines(tx, "ana", [MUG])
        store.replace_lines(tx, "' OR true --", [JAR])

    assert cart_of(db).lines == (MUG,)
    assert cart_of(db, "' OR true --").lines == (JAR,)


def test_the_version_told_is_the_version_stored(db: Database) -> None:
    with db.transaction() as tx:
        told = [
            use_cases.put_line(tx, "ana", MUG),
            use_cases.put_line(tx, "ana", MUG),
            use_cases.put_line(tx, "ana", JAR),
            use_cases.remove_line(tx, "ana", "MUG-1"),
            use_cases.replace_cart(tx, "ana", (MUG,)),
        ]

    assert [cart.version for cart in told] == [1, 1, 2, 3, 4]
    assert cart_of(db) == told[-1]


def test_lines_put_at_the_same_time_are_all_kept(db: Database) -> None:
    def put(number: int) -> None:
        with db.transaction() as tx:
            use_cases.put_line(tx, "ana", Line(f"S-{number}", 1))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(put, range(20)))

    cart = cart_of(db)
    assert sorted(line.sku for line in cart.lines) == sorted(f"S-{n}" for n in range(20))
    assert cart.version == 20


def test_an_order_is_new_once(db: Database) -> None:
    order_id = new_id()

    with db.transaction() as tx:
        assert store.mark_bought(tx, order_id)
    with db.transaction() as tx:
        assert not store.mark_bought(tx, order_id)


@pytest.mark.parametrize("statement", ["UPDATE bought_orders SET taken_out_at = now()",
                                       "DELETE FROM bought_orders"])  # fmt: skip
def test_what_was_taken_out_cannot_be_unwritten(db: Database, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), db.transaction() as tx:
        tx.execute(text(statement))


@pytest.mark.parametrize(
    ("lines", "version"),
    [("{}", 1), ("7", 1), ("null", 1), (str([0] * 201), 1), ("[]", -1)],
    ids=["object", "number", "null", "too many", "negative version"],
)
def test_the_database_itself_refuses_what_no_cart_can_be(
    db: Database, lines: str, version: int
) -> None:
    with pytest.raises(IntegrityError), db.transaction() as tx:
        tx.execute(
            text("INSERT INTO carts VALUES ('ana', CAST(:lines AS jsonb), :version)"),
            {"lines": lines, "version": version},
        )
