"""What is old goes; what may still be asked for stays."""

import pytest
from common import retention
from common.db import Database
from common.events import Event, publish
from common.idempotency import Answer, once
from sqlalchemy import text


def insert_into_inbox(db: Database, *, age: str, count: int = 1) -> None:
    with db.transaction() as tx:
        tx.execute(
            text(
                "INSERT INTO inbox (event_id, event_type, subject, received_at)"
                " SELECT gen_random_uuid(), 'order.placed', 's', now() - CAST(:age AS interval)"
                " FROM generate_series(1, :count)"
            ),
            {"age": age, "count": count},
        )


def count(db: Database, table: str) -> int:
    with db.transaction() as tx:
        return tx.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


@pytest.mark.parametrize(("age", "left"), [("14 days", 1), ("16 days", 0)])
def test_an_inbox_row_outlives_the_queues_memory(db: Database, age: str, left: int) -> None:
    insert_into_inbox(db, age=age)

    retention.run_once(db)

    assert count(db, "inbox") == left


@pytest.mark.parametrize(("age", "left"), [("71 hours", 1), ("73 hours", 0)])
def test_an_idempotency_key_is_kept_for_72_hours(db: Database, age: str, left: int) -> None:
    with db.transaction() as tx:
        once(tx, "ana", "k", "print", lambda _: Answer(200, None, ""))
        tx.execute(
            text("UPDATE idempotency_keys SET created_at = now() - CAST(:age AS interval)"),
            {"age": age},
        )

    retention.run_once(db)

    assert count(db, "idempotency_keys") == left


def test_an_event_that_was_never_sent_is_never_swept(db: Database) -> None:
    with db.transaction() as tx:
        publish(tx, Event("order.placed", "1", {}), Event("order.placed", "2", {}))
        tx.execute(
            text(
                "UPDATE outbox SET created_at = now() - interval '90 days', published_at ="
                " CASE subject WHEN '1' THEN now() - interval '8 days' END"
            )
        )

    retention.run_once(db)

    with db.transaction() as tx:
        assert tx.execute(text("SELECT subject FROM outbox")).scalars().all() == ["2"]


def test_a_sweep_takes_a_batch_at_a_time(db: Database) -> None:
    insert_into_inbox(db, age="16 days", count=retention.BATCH_SIZE + 1)

    swept = [retention.run_once(db) for _ in range(3)]

    assert swept == [retention.BATCH_SIZE, 1, 0]
