"""The queue in PostgreSQL: whose a message is, and for how long."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from common.db import Database
from messages_for_tests import NOW, add, new_message
from notification.domain.delivery import Verdict, Waiting
from notification.domain.messages import Message, Reason, State
from notification.store import messages, queue

LATER = NOW + timedelta(seconds=25)


def _claimed(db: Database, now: datetime, limit: int = 10) -> list[Message]:
    with db.transaction() as tx:
        return queue.claim(tx, now=now, until=now + timedelta(seconds=25), limit=limit)


def _found(db: Database, message: Message) -> Message:
    with db.transaction() as tx:
        found = messages.find(tx, message.id)
    assert found
    return found


# --- The queue


def test_a_claimed_message_is_nobody_elses_until_the_lease_ends(db: Database) -> None:
    message = new_message()
    add(db, message)

    assert _claimed(db, NOW) == [message]
    assert _claimed(db, LATER - timedelta(seconds=1)) == []
    assert _claimed(db, LATER) == [message]


def test_two_workers_that_claim_at_once_share_the_messages(db: Database) -> None:
    first, second = sorted([new_message(), new_message()], key=lambda message: message.id)
    add(db, first, second)

    with db.transaction() as mine:
        taken = queue.claim(mine, now=NOW, until=LATER, limit=1)
        others = _claimed(db, NOW)

    assert sorted(message.id for message in taken + others) == [first.id, second.id]
    assert len(taken) == 1


def test_many_workers_claim_each_message_once(db: Database) -> None:
    add(db, *(new_message() for _ in range(40)))
    barrier = threading.Barrier(8)
    claimed: list[str] = []

    def work() -> None:
        barrier.wait()
        while batch := _claimed(db, NOW, limit=3):
            claimed.extend(message.id for message in batch)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(claimed), len(set(claimed))) == (40, 40)


def test_a_message_that_is_not_due_is_not_claimed(db: Database) -> None:
    add(db, new_message())

    assert _claimed(db, NOW - timedelta(seconds=1)) == []


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.SENT, None),
        (State.FAILED, Reason.REFUSED),
        (State.SUPPRESSED, Reason.ADDRESS_SUPPRESSED),
    ],
)
def test_what_is_done_with_is_not_claimed(
    db: Database, state: State, reason: Reason | None
) -> None:
    at = NOW if state is State.SENT else None
    add(db, replace(new_message(), state=state, reason=reason, sent_at=at, first_sent_at=at))

    assert _claimed(db, LATER) == []


def test_a_message_is_marked_as_sent_once(db: Database) -> None:
    message = new_message()
    add(db, message)

    with db.transaction() as tx:
        assert queue.mark_sent(tx, [message], LATER) == {message.id}
        assert queue.mark_sent(tx, [message], LATER) == set()

    assert _found(db, message) == replace(
        message, state=State.SENT, attempts=1, sent_at=LATER, first_sent_at=LATER
    )


def test_a_postponed_message_is_due_when_it_says(db: Database) -> None:
    message = new_message()
    add(db, message)

    with db.transaction() as tx:
        assert queue.put_down(tx, message, Verdict(State.QUEUED, None, 2, 1, "550 no", LATER))

    assert _claimed(db, LATER - timedelta(seconds=1)) == []
    assert _claimed(db, LATER) == [replace(message, attempts=2, refusals=1, last_error="550 no")]


def test_a_late_refusal_does_not_undo_that_it_was_sent(db: Database) -> None:
    message = new_message()
    add(db, message)

    with db.transaction() as tx:
        queue.mark_sent(tx, [message], NOW)
        assert not queue.put_down(tx, message, Verdict(State.QUEUED, None, 2, 0, "451", LATER))
        queue.give_back(tx, [message], NOW)

    assert _found(db, message).state is State.SENT


def test_a_late_outcome_of_before_says_nothing_about_a_resend(db: Database) -> None:
    message = new_message()
    add(db, message)

    with db.transaction() as tx:
        queue.mark_sent(tx, [message], NOW)
        again = messages.queue_again(tx, message.id, LATER)
        assert queue.mark_sent(tx, [message], LATER) == set()
        assert not queue.suppress(tx, message, Reason.ADDRESS_SUPPRESSED)
        assert queue.mark_sent(tx, [again], LATER) == {message.id}

    assert _found(db, message).first_sent_at == NOW


def test_what_is_given_back_is_due_at_once(db: Database) -> None:
    message = new_message()
    add(db, message)
    _claimed(db, NOW)

    with db.transaction() as tx:
        queue.give_back(tx, [message], NOW)

    assert _claimed(db, NOW) == [message]


def test_the_queue_tells_how_long_its_oldest_waits(db: Database) -> None:
    with db.transaction() as tx:
        assert queue.waiting(tx) == Waiting(0, None)
    add(db, new_message(), replace(new_message(), created_at=LATER))

    with db.transaction() as tx:
        assert queue.waiting(tx) == Waiting(2, NOW)
