from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from common.db import Database
from common.ids import new_id
from notification import store
from notification.domain import Kind, Message, State, Verdict
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
LATER = NOW + timedelta(seconds=25)


def _message(order_id: str | None = None) -> Message:
    return Message(
        id=new_id(),
        order_id=order_id or new_id(),
        kind=Kind.ORDER_CONFIRMATION,
        recipient="ada@customer.example",
        subject="Hello",
        text="Hello",
        html="<p>Hello</p>",
        created_at=NOW,
        traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    )


def _added(db: Database, *messages: Message) -> None:
    with db.transaction() as tx:
        for message in messages:
            store.add(tx, message)


def _claimed(db: Database, now: datetime, limit: int = 10) -> list[Message]:
    with db.transaction() as tx:
        return store.claim(tx, now=now, until=now + timedelta(seconds=25), limit=limit)


def test_a_message_is_read_as_it_was_written(db: Database) -> None:
    message = _message()

    _added(db, message)

    with db.transaction() as tx:
        assert store.of_order(tx, message.order_id) == [message]


def test_an_order_has_one_message_of_a_kind(db: Database) -> None:
    first = _message()
    second = _message(first.order_id)

    with db.transaction() as tx:
        assert store.add(tx, first)
        assert not store.add(tx, second)
        assert store.of_order(tx, first.order_id) == [first]


def test_a_claimed_message_is_nobody_elses_until_the_lease_ends(db: Database) -> None:
    message = _message()
    _added(db, message)

    assert _claimed(db, NOW) == [message]
    assert _claimed(db, LATER - timedelta(seconds=1)) == []
    assert _claimed(db, LATER) == [message]


def test_two_workers_that_claim_at_once_share_the_messages(db: Database) -> None:
    first, second = sorted([_message(), _message()], key=lambda message: message.id)
    _added(db, first, second)

    with db.transaction() as mine:
        taken = store.claim(mine, now=NOW, until=LATER, limit=1)
        others = _claimed(db, NOW)

    assert sorted(message.id for message in taken + others) == [first.id, second.id]
    assert len(taken) == 1


def test_a_message_that_is_not_due_is_not_claimed(db: Database) -> None:
    _added(db, _message())

    assert _claimed(db, NOW - timedelta(seconds=1)) == []


@pytest.mark.parametrize("state", [State.SENT, State.FAILED])
def test_what_is_done_with_is_not_claimed(db: Database, state: State) -> None:
    _added(db, replace(_message(), state=state, sent_at=NOW if state is State.SENT else None))

    assert _claimed(db, LATER) == []


def test_a_message_is_marked_as_sent_once(db: Database) -> None:
    message = _message()
    _added(db, message)

    with db.transaction() as tx:
        assert store.mark_sent(tx, [message.id], LATER) == {message.id}
        assert store.mark_sent(tx, [message.id], LATER) == set()
        (sent,) = store.of_order(tx, message.order_id)

    assert sent == replace(message, state=State.SENT, attempts=1, sent_at=LATER)


def test_a_postponed_message_is_due_when_it_says(db: Database) -> None:
    message = _message()
    _added(db, message)

    with db.transaction() as tx:
        store.postpone(tx, message.id, Verdict(State.QUEUED, 2, "451 later", LATER))

    assert _claimed(db, LATER - timedelta(seconds=1)) == []
    assert _claimed(db, LATER) == [replace(message, attempts=2, last_error="451 later")]


def test_a_late_refusal_does_not_undo_that_it_was_sent(db: Database) -> None:
    message = _message()
    _added(db, message)

    with db.transaction() as tx:
        store.mark_sent(tx, [message.id], NOW)
        store.postpone(tx, message.id, Verdict(State.QUEUED, 2, "451 later", LATER))
        store.give_back(tx, [message.id], NOW)
        (found,) = store.of_order(tx, message.order_id)

    assert found.state is State.SENT


def test_what_is_given_back_is_due_at_once(db: Database) -> None:
    message = _message()
    _added(db, message)
    _claimed(db, NOW)

    with db.transaction() as tx:
        store.give_back(tx, [message.id], NOW)

    assert _claimed(db, NOW) == [message]


def test_the_database_refuses_what_was_sent_at_no_time(db: Database) -> None:
    _added(db, _message())

    with pytest.raises(IntegrityError, match="sent_at_some_time"), db.transaction() as tx:
        tx.execute(text("UPDATE messages SET state = 'sent'"))
