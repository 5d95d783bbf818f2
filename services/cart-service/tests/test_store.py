from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from cart import store, use_cases
from cart.domain import Cart, Line, Merge, Owner
from cart.use_cases import Shopper
from common.db import Database
from common.idempotency import LOCK_NOT_AVAILABLE
from common.ids import new_id
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

MUG, JAR = Line("MUG-1", 2), Line("JAR-1", 1)
ANA, GUEST = Shopper("ana", Owner.CUSTOMER), Shopper("guest-1", Owner.GUEST)
THREADS = 8  # as many as a web process has


def put(db: Database, shopper: Shopper, *lines: Line) -> None:
    with db.transaction() as tx:
        use_cases.replace_cart(tx, shopper, lines)


def shown_to(db: Database, customer_id: str = "ana") -> dict[str, int]:
    with db.transaction() as tx:
        return store.shown_prices(tx, customer_id)


def cart_of(db: Database, customer_id: str = "ana") -> Cart:
    with db.transaction() as tx:
        return store.get(tx, customer_id)


def test_before_the_first_change_a_cart_is_empty_and_costs_no_row(db: Database) -> None:
    assert cart_of(db) == Cart("ana", (), version=0)

    with db.transaction() as tx:
        assert store.lock_all(tx, {"ana"}) == {}


def test_what_was_put_is_read_back_in_order(db: Database) -> None:
    with db.transaction() as tx:
        first = store.replace_lines(tx, "ana", Owner.CUSTOMER, [MUG, JAR])
        second = store.replace_lines(tx, "ana", Owner.CUSTOMER, [JAR, MUG])

    assert (first, second) == (1, 2)
    assert cart_of(db) == Cart("ana", (JAR, MUG), version=2)


def test_carts_are_kept_apart(db: Database) -> None:
    with db.transaction() as tx:
        store.replace_lines(tx, "ana", Owner.CUSTOMER, [MUG])
        store.replace_lines(tx, "' OR true --", Owner.GUEST, [JAR])

    assert cart_of(db).lines == (MUG,)
    assert cart_of(db, "' OR true --").lines == (JAR,)


def test_the_version_told_is_the_version_stored(db: Database) -> None:
    with db.transaction() as tx:
        told = [
            use_cases.put_line(tx, ANA, MUG),
            use_cases.put_line(tx, ANA, MUG),
            use_cases.put_line(tx, ANA, JAR),
            use_cases.remove_line(tx, ANA, "MUG-1"),
            use_cases.replace_cart(tx, ANA, (MUG,)),
        ]

    assert [cart.version for cart in told] == [1, 1, 2, 3, 4]
    assert cart_of(db) == told[-1]


def test_lines_put_at_the_same_time_are_all_kept(db: Database) -> None:
    def put_one(number: int) -> None:
        with db.transaction() as tx:
            use_cases.put_line(tx, ANA, Line(f"S-{number}", 1))

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(put_one, range(20)))

    cart = cart_of(db)
    assert sorted(line.sku for line in cart.lines) == sorted(f"S-{n}" for n in range(20))
    assert cart.version == 20


def test_fifty_additions_to_one_line_at_the_same_time_are_all_kept(db: Database) -> None:
    at_once = Barrier(THREADS)

    def add(_: int) -> None:
        with db.transaction() as tx:
            use_cases.add(tx, ANA, "MUG-1", 1)

    def all_of_mine(thread: int) -> None:
        at_once.wait()
        for number in range(thread, 50, THREADS):
            add(number)

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(all_of_mine, range(THREADS)))

    assert cart_of(db) == Cart("ana", (Line("MUG-1", 50),), version=50)


def in_the_end(db: Database, act: Callable[[Connection], object]) -> None:
    """As a client that is told "not now" (503) and asks again. A deadlock is not that."""
    while True:
        try:
            with db.transaction() as tx:
                act(tx)
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) != LOCK_NOT_AVAILABLE:
                raise
        else:
            return


class TestMerging:
    def test_the_guest_s_cart_is_empty_afterwards_and_twice_adds_nothing(
        self, db: Database
    ) -> None:
        put(db, ANA, MUG)
        put(db, GUEST, MUG, JAR)

        with db.transaction() as tx:
            first = use_cases.merge(tx, ANA, GUEST.id)
        with db.transaction() as tx:
            second = use_cases.merge(tx, ANA, GUEST.id)

        assert first.cart == cart_of(db) == Cart("ana", (Line("MUG-1", 4), JAR), version=2)
        assert cart_of(db, GUEST.id) == Cart(GUEST.id, (), version=2)
        assert second == Merge(first.cart)

    def test_a_guest_who_put_nothing_in_leaves_no_trace(self, db: Database) -> None:
        with db.transaction() as tx:
            done = use_cases.merge(tx, ANA, GUEST.id)

        assert done == Merge(Cart("ana"))
        with db.transaction() as tx:
            assert store.lock_all(tx, {GUEST.id}) == {}

    def test_prices_that_the_guest_was_shown_count_unless_the_customer_was_shown_others(
        self, db: Database
    ) -> None:
        put(db, ANA, MUG)
        put(db, GUEST, MUG, JAR)
        with db.transaction() as tx:
            use_cases.note_shown(tx, "ana", {"MUG-1": 200})
            use_cases.note_shown(tx, GUEST.id, {"MUG-1": 300, "JAR-1": 500})

        with db.transaction() as tx:
            use_cases.merge(tx, ANA, GUEST.id)

        assert shown_to(db) == {"MUG-1": 200, "JAR-1": 500}
        assert shown_to(db, GUEST.id) == {}

    def test_the_same_merge_from_everywhere_at_once_moves_it_once(self, db: Database) -> None:
        put(db, GUEST, MUG, JAR)
        at_once = Barrier(THREADS)

        def merge(_: int) -> Merge:
            at_once.wait()
            with db.transaction() as tx:
                return use_cases.merge(tx, ANA, GUEST.id)

        with ThreadPoolExecutor(THREADS) as threads:
            done = list(threads.map(merge, range(THREADS)))

        assert cart_of(db).lines == (MUG, JAR)
        assert [merge.merged for merge in done if merge.merged] == [(MUG, JAR)]

    def test_carts_merged_crosswise_at_once_wait_for_one_another_and_lose_nothing(
        self, db: Database
    ) -> None:
        """No deadlock, which PostgreSQL would end by an error in one of the threads."""
        names = ("a", "b")
        at_once = Barrier(THREADS)

        def merge(number: int) -> None:
            to, of = names[number % 2], names[1 - number % 2]
            at_once.wait()
            for _ in range(10):
                in_the_end(db, lambda tx: use_cases.add(tx, Shopper(of, Owner.GUEST), "MUG-1", 1))
                in_the_end(db, lambda tx: use_cases.merge(tx, Shopper(to, Owner.GUEST), of))

        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(merge, range(THREADS)))

        held = [line.quantity for name in names for line in cart_of(db, name).lines]
        assert sum(held) == 10 * THREADS


class TestShownPrices:
    def test_the_first_price_stays_until_another_is_accepted(self, db: Database) -> None:
        put(db, ANA, MUG, JAR)

        with db.transaction() as tx:
            use_cases.note_shown(tx, "ana", {"MUG-1": 250})
            use_cases.note_shown(tx, "ana", {"MUG-1": 300, "JAR-1": 499})
        assert shown_to(db) == {"MUG-1": 250, "JAR-1": 499}

        with db.transaction() as tx:
            use_cases.accept_prices(tx, "ana", {"MUG-1": 300, "TENT-1": 1})
        assert shown_to(db) == {"MUG-1": 300, "JAR-1": 499}

    def test_they_change_no_version(self, db: Database) -> None:
        put(db, ANA, MUG)

        with db.transaction() as tx:
            use_cases.note_shown(tx, "ana", {"MUG-1": 250})
            use_cases.accept_prices(tx, "ana", {"MUG-1": 300})

        assert cart_of(db).version == 1

    def test_they_go_with_their_line(self, db: Database) -> None:
        put(db, ANA, MUG, JAR)
        with db.transaction() as tx:
            use_cases.note_shown(tx, "ana", {"MUG-1": 250, "JAR-1": 499})

        with db.transaction() as tx:
            use_cases.remove_line(tx, ANA, "MUG-1")
        assert shown_to(db) == {"JAR-1": 499}

        put(db, ANA)
        assert shown_to(db) == {}

    def test_they_go_with_what_was_bought(self, db: Database) -> None:
        put(db, ANA, MUG, JAR)
        with db.transaction() as tx:
            use_cases.note_shown(tx, "ana", {"MUG-1": 250, "JAR-1": 499})

        with db.transaction() as tx:
            use_cases.take_out_bought(tx, new_id(), "ana", {"MUG-1": MUG.quantity})

        assert shown_to(db) == {"JAR-1": 499}


class TestExpiring:
    NOW = datetime.now(UTC)

    def expire(self, db: Database, after: timedelta, batch_size: int = 100) -> list[str]:
        with db.transaction() as tx:
            return use_cases.expire(tx, self.NOW + after, batch_size)

    def test_a_guest_s_cart_is_deleted_after_a_week(self, db: Database) -> None:
        put(db, GUEST, MUG)

        early = self.expire(db, timedelta(days=6, hours=23))
        late = self.expire(db, timedelta(days=7, hours=1))

        assert (early, late) == ([], [GUEST.id])
        assert cart_of(db, GUEST.id) == Cart(GUEST.id)

    def test_a_customer_s_cart_is_emptied_after_a_season_and_counts_on(self, db: Database) -> None:
        put(db, ANA, MUG)

        early = self.expire(db, timedelta(days=89, hours=23))
        late = self.expire(db, timedelta(days=90, hours=1))
        again = self.expire(db, timedelta(days=200))

        assert (early, late, again) == ([], ["ana"], [])
        assert cart_of(db) == Cart("ana", (), version=2)

    def test_a_change_begins_the_time_anew(self, db: Database) -> None:
        put(db, GUEST, MUG)
        with db.transaction() as tx:
            tx.execute(text("UPDATE carts SET updated_at = now() - interval '8 days'"))
        put(db, GUEST, JAR)

        assert self.expire(db, timedelta()) == []

    def test_one_that_is_being_changed_is_passed_over(self, db: Database) -> None:
        put(db, GUEST, MUG)
        put(db, Shopper("guest-2", Owner.GUEST), MUG)

        with db.transaction() as changing:
            store.lock_all(changing, {GUEST.id})
            gone = self.expire(db, timedelta(days=8))

        assert gone == ["guest-2"]

    def test_it_takes_a_batch_at_a_time_until_there_is_none(self, db: Database) -> None:
        for number in range(5):
            put(db, Shopper(f"guest-{number}", Owner.GUEST), MUG)

        batches = [len(self.expire(db, timedelta(days=8), batch_size=2)) for _ in range(4)]

        assert batches == [2, 2, 1, 0]

    def test_two_sweepers_share_the_work(self, db: Database) -> None:
        for number in range(40):
            put(db, Shopper(f"guest-{number:02}", Owner.GUEST), MUG)

        with ThreadPoolExecutor(4) as threads:
            swept = list(threads.map(lambda _: self.expire(db, timedelta(days=8), 10), range(8)))

        gone = [who for batch in swept for who in batch]
        assert sorted(gone) == [f"guest-{n:02}" for n in range(40)]


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
            text(
                "INSERT INTO carts (customer_id, lines, version)"
                " VALUES ('ana', CAST(:lines AS jsonb), :version)"
            ),
            {"lines": lines, "version": version},
        )
