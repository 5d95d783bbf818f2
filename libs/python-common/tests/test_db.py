"""A database that is away is told from one that refuses; a restarted one is met as if new."""

from functools import partial

import pytest
from common.db import Database, is_away, wake
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# And wait until it is gone: whoever only asks races with it.
HANG_UP = """SET LOCAL statement_timeout = '20s';
SELECT pg_terminate_backend(pid, 15000) FROM pg_stat_activity WHERE pid = ANY(:pids)"""
PID = "SELECT pg_backend_pid()"
NOBODY = "postgresql+psycopg2://nobody@127.0.0.1:1/nothing"


def error_of(db: Database, statement: str) -> SQLAlchemyError:
    with pytest.raises(SQLAlchemyError) as raised, db.transaction() as tx:
        tx.execute(text(statement))
    return raised.value


def test_after_a_restart_nobody_meets_a_dead_connection(db: Database) -> None:
    """All of the pool's, not only the one that is found dead."""
    with db.engine.connect() as one, db.engine.connect() as other:
        pids = [connection.execute(text(PID)).scalar_one() for connection in (one, other)]
    with db.transaction() as tx:
        assert tx.execute(text(PID)).scalar_one() in pids
        [rest] = [pid for pid in pids if pid != tx.execute(text(PID)).scalar_one()]
        tx.execute(text(HANG_UP), {"pids": [rest]})

    with db.engine.connect() as one, db.engine.connect() as other:
        met = [connection.execute(text(PID)).scalar_one() for connection in (one, other)]

    assert rest not in met


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "DO $$ BEGIN RAISE SQLSTATE '57P03'; END $$",  # cannot_connect_now
        "DO $$ BEGIN RAISE SQLSTATE '53100'; END $$",  # disk_full
        "DO $$ BEGIN RAISE SQLSTATE '25006'; END $$",  # read_only_sql_transaction
    ],
)
def test_whoever_meets_it_is_not_to_blame(db: Database, statement: str) -> None:
    assert is_away(error_of(db, statement))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 / 0",
        "SET LOCAL statement_timeout = 1; SELECT pg_sleep(60)",
        "DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$",  # deadlock_detected
        "DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$",  # lock_not_available
    ],
)
def test_a_database_that_refuses_is_there(db: Database, statement: str) -> None:
    assert not is_away(error_of(db, statement))


def test_where_nobody_listens_it_is_away() -> None:
    with pytest.raises(DBAPIError) as raised:
        Database(NOBODY).ping()

    assert is_away(raised.value)


def test_a_pool_without_a_connection_left_is_nobodys_fault(database_url: str) -> None:
    db = Database(database_url, pool_size=1)

    with db.transaction(), pytest.raises(PoolTimeout) as raised, db.transaction():
        pass

    assert is_away(raised.value)
    assert not is_away(ValueError("of ours"))


def test_a_loop_is_woken_for_its_own_work_after_the_commit(db: Database) -> None:
    woken: list[str] = []
    db.wakers = {name: partial(woken.append, name) for name in ("relay", "mails")}

    with db.transaction() as tx:
        wake(tx, "relay")
        wake(tx, "relay")
        wake(tx, "another process's")
        before = list(woken)

    assert before == []
    assert woken == ["relay"]


def test_what_was_rolled_back_wakes_nobody_then_or_later(db: Database) -> None:
    woken: list[str] = []
    db.wakers = {"relay": partial(woken.append, "relay")}

    def fail() -> None:
        with db.transaction() as tx:
            wake(tx, "relay")
            tx.execute(text("SELECT 1 / 0"))

    with pytest.raises(SQLAlchemyError):
        fail()
    with db.transaction() as tx:  # On the same connection.
        tx.execute(text("SELECT 1"))

    assert woken == []
