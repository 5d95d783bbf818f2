"""Who waits for whom, for how long, what they see then, and what they are told."""

import psycopg2
import pytest
from harness.eventually import eventually
from psycopg2 import errorcodes

from conformance.database import OPTIONS, WAITS_WITHIN_S, Shop, meanwhile

TAKE = "SELECT id FROM waiting ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED"
# Longer than lock_timeout is waited for, so that only the lock can end it.
LOCK = "SELECT pg_advisory_xact_lock(%s)"


@pytest.fixture(scope="module")
def things(shop: Shop) -> Shop:
    """Two tables that every session can use."""
    with shop.session() as session:
        session.run("CREATE TABLE IF NOT EXISTS waiting (id int PRIMARY KEY, word text)")
        session.run(
            "INSERT INTO waiting SELECT g, 'x' FROM generate_series(1, 5) g ON CONFLICT DO NOTHING"
        )
        session.commit()
    return shop


def test_two_relays_share_what_is_due_and_wait_for_nobody(things: Shop) -> None:
    with things.session() as first, things.session() as second, things.session() as third:
        assert first.run(TAKE) == [(1,), (2,)]
        assert second.run(TAKE) == [(3,), (4,)]
        assert third.run(TAKE) == [(5,)]
        first.rollback()
        third.rollback()

        assert third.run(TAKE) == [(1,), (2,)]


def test_a_lock_that_is_held_too_long_is_given_up_with_its_code(things: Shop) -> None:
    with things.session() as holder, things.session(options=OPTIONS) as waiting:
        holder.run("SELECT id FROM waiting WHERE id = 1 FOR UPDATE")

        code = waiting.code_of("SELECT id FROM waiting WHERE id = 1 FOR UPDATE")

    assert code == errorcodes.LOCK_NOT_AVAILABLE


def test_two_who_wait_for_one_another_are_told_apart(things: Shop) -> None:
    with things.session() as first, things.session() as second:
        first.run("UPDATE waiting SET word = 'a' WHERE id = 1")
        second.run("UPDATE waiting SET word = 'b' WHERE id = 2")

        with meanwhile(things, first, "UPDATE waiting SET word = 'a' WHERE id = 2") as answer:
            code = second.code_of("UPDATE waiting SET word = 'b' WHERE id = 1")
            other = answer.exception(20)
        first.rollback()

    codes = {code, getattr(other, "pgcode", "")}
    assert codes == {errorcodes.DEADLOCK_DETECTED, ""}


def test_a_waiting_update_sees_what_was_committed_meanwhile(things: Shop) -> None:
    with things.session() as first, things.session() as second:
        assert first.run("SHOW transaction_isolation") == [("read committed",)]
        first.run("UPDATE waiting SET word = 'new' WHERE id = 3")

        change = "UPDATE waiting SET word = word || '!' WHERE id = 3 RETURNING word"
        with meanwhile(things, second, change) as answer:
            first.commit()
            assert answer.result(20) == [("new!",)]


def test_the_second_statement_of_a_round_trip_sees_what_the_first_one_waited_for(
    things: Shop,
) -> None:
    both = "SELECT pg_advisory_xact_lock(%s); SELECT word FROM waiting WHERE id = 4"
    with things.session() as first, things.session() as second:
        first.run(LOCK, 77)
        first.run("UPDATE waiting SET word = 'committed meanwhile' WHERE id = 4")

        with meanwhile(things, second, both, 77) as answer:
            first.commit()
            assert answer.result(20) == [("committed meanwhile",)]


def test_advisory_locks_of_one_transaction_go_with_its_end(things: Shop) -> None:
    try_lock = "SELECT pg_try_advisory_xact_lock(1901, hashtext('ana'))"
    with things.session() as first, things.session() as second:
        assert first.run(try_lock) == [(True,)]
        assert second.run(try_lock) == [(False,)]

        first.rollback()

        assert second.run(try_lock) == [(True,)]


def test_whoever_claims_a_key_twice_waits_and_then_finds_it_taken(things: Shop) -> None:
    claim = "INSERT INTO waiting (id) VALUES (100) ON CONFLICT DO NOTHING RETURNING id"
    with things.session() as first, things.session() as second:
        assert first.run(claim) == [(100,)]

        with meanwhile(things, second, claim) as answer:
            first.commit()
            assert answer.result(20) == []


def test_a_claim_that_is_rolled_back_is_free_for_who_waits(things: Shop) -> None:
    claim = "INSERT INTO waiting (id) VALUES (101) ON CONFLICT DO NOTHING RETURNING id"
    with things.session() as first, things.session() as second:
        first.run(claim)

        with meanwhile(things, second, claim) as answer:
            first.rollback()
            assert answer.result(20) == [(101,)]


def test_a_foreign_key_does_not_wait_for_a_change_that_leaves_the_key_alone(things: Shop) -> None:
    with things.session() as holder, things.session(options=OPTIONS) as other:
        holder.run("SELECT id FROM waiting WHERE id = 5 FOR NO KEY UPDATE")

        assert other.code_of("SELECT id FROM waiting WHERE id = 5 FOR KEY SHARE") == ""


def test_a_statement_that_takes_too_long_is_ended_with_its_code(shop: Shop) -> None:
    with shop.session(options="-c statement_timeout=50") as session:
        assert session.code_of("SELECT pg_sleep(20)") == errorcodes.QUERY_CANCELED


def test_a_transaction_that_takes_too_long_loses_its_connection(shop: Shop) -> None:
    with shop.session(options="-c transaction_timeout=50") as session:
        with pytest.raises(psycopg2.OperationalError):
            session.run("SELECT pg_sleep(20)")

        assert session.connection.closed


def test_a_transaction_that_does_nothing_for_too_long_loses_its_connection(shop: Shop) -> None:
    with (
        shop.session(options="-c idle_in_transaction_session_timeout=50") as idle,
        shop.session() as observer,
    ):
        idle.run("SELECT 1")
        there = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
        eventually(lambda: not observer.seen(there, idle.pid), WAITS_WITHIN_S, "it is ended")

        with pytest.raises(psycopg2.OperationalError):
            idle.run("SELECT 1")
