import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from common.db import Database
from common.ids import new_id
from common.testing import PATIENCE
from messages_for_tests import NOW, add, new_message
from notification.domain.messages import Kind, Message, Reason, State, Suppression, Wanted
from notification.domain.preferences import NEVER_CHOSEN, Choice, Language, Preferences
from notification.store import messages, preferences, suppressions
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

LATER = NOW + timedelta(seconds=25)


def _found(db: Database, message: Message) -> Message:
    with db.transaction() as tx:
        found = messages.find(tx, message.id)
    assert found
    return found


# --- One message a fact


def test_a_message_is_read_as_it_was_written(db: Database) -> None:
    message = replace(new_message(), language=Language.ES)

    add(db, message)

    assert _found(db, message) == message


def test_a_fact_has_one_message_of_a_kind(db: Database) -> None:
    first = new_message()
    second = replace(new_message(), fact=first.fact)

    with db.transaction() as tx:
        assert messages.add(tx, first)
        assert not messages.add(tx, second)
        assert messages.of_order(tx, first.order_id or "") == [first]


def test_a_fact_has_one_message_however_many_hear_of_it_at_once(db: Database) -> None:
    message, barrier = new_message(), threading.Barrier(20)
    url, added = db.engine.url.render_as_string(hide_password=False), []
    wide = Database(url, pool_size=20, patience=PATIENCE)

    def add() -> None:
        barrier.wait()
        with wide.transaction() as tx:
            added.append(messages.add(tx, replace(message, id=new_id())))

    threads = [threading.Thread(target=add) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wide.engine.dispose()

    assert sorted(added) == [False] * 19 + [True]


def test_an_orders_messages_are_its_customers(db: Database) -> None:
    message = new_message()
    add(db, message)

    with db.transaction() as tx:
        assert messages.of_order(tx, message.fact, "customer-1") == [message]
        assert messages.of_order(tx, message.fact, "customer-2") == []


@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("state", "'sent'", "sent_at_some_time"),
        ("state", "'failed'", "reason_of_its_state"),
        ("reason", "'refused'", "reason_of_its_state"),
        ("kind", "'welcome'", "only_a_welcome_is_about_no_order"),
        ("text", "NULL", "both_bodies_or_none"),
        ("refusals", "1", "refusals_are_attempts"),
        ("language", "'fr'", "known_language"),
    ],
)
def test_the_database_refuses_what_cannot_be(
    db: Database, column: str, value: str, constraint: str
) -> None:
    add(db, new_message())

    with pytest.raises(IntegrityError, match=constraint), db.transaction() as tx:
        tx.execute(text(f"UPDATE messages SET {column} = {value}"))


# --- Lists


def test_a_list_goes_back_in_time_page_by_page_without_bodies(db: Database) -> None:
    added = [new_message() for _ in range(5)]
    add(db, *added)

    with db.transaction() as tx:
        first = messages.page(tx, Wanted(), None, 3)
        rest = messages.page(tx, Wanted(), first[-1].id, 3)

    ids = sorted((message.id for message in added), reverse=True)
    assert [message.id for message in first + rest] == ids
    assert {(message.text, message.html) for message in first} == {(None, None)}


def test_a_list_is_narrowed_by_everything_asked(db: Database) -> None:
    ada, bob = new_message(), new_message(recipient="Bob@customer.example")
    add(db, ada, bob)

    with db.transaction() as tx:
        of_bob = messages.page(tx, Wanted(recipient="bob@CUSTOMER.example"), None, 10)
        queued = messages.page(tx, Wanted(State.QUEUED, Kind.ORDER_CONFIRMATION), None, 10)
        refunds = messages.page(tx, Wanted(kind=Kind.REFUND), None, 10)

    assert [message.id for message in of_bob] == [bob.id]
    assert (len(queued), refunds) == (2, [])


# --- Forgetting


def test_bodies_are_forgotten_when_they_are_old_and_done_with(db: Database) -> None:
    old = replace(new_message(), state=State.FAILED, reason=Reason.REFUSED)
    young = replace(old, id=new_id(), fact=new_id(), created_at=LATER)
    queued = new_message()
    add(db, old, young, queued)

    with db.transaction() as tx:
        assert messages.forget_bodies(tx, LATER, 10) == 1
        assert messages.forget_bodies(tx, LATER, 10) == 0

    assert _found(db, old) == replace(old, text=None, html=None)
    assert [_found(db, young), _found(db, queued)] == [young, queued]


def test_a_sweep_is_bounded(db: Database) -> None:
    done = [replace(new_message(), state=State.FAILED, reason=Reason.REFUSED) for _ in range(3)]
    add(db, *done)

    with db.transaction() as tx:
        assert [messages.forget_bodies(tx, LATER, 2) for _ in range(3)] == [2, 1, 0]


# --- Suppressions and preferences


def test_an_address_is_suppressed_once_in_any_case_of_letters(db: Database) -> None:
    first = Suppression(new_id(), "ada@customer.example", "550 no", new_id(), NOW)

    with db.transaction() as tx:
        assert suppressions.add(tx, first)
        assert not suppressions.add(tx, replace(first, id=new_id()))
        assert suppressions.among(tx, ["Ada@Customer.example", "bob@x"]) == {first.address}
        assert suppressions.page(tx, "ADA@customer.example", None, 10) == [first]
        assert suppressions.remove(tx, first.id)
        assert not suppressions.remove(tx, first.id)
        assert suppressions.among(tx, [first.address]) == set()


def test_who_never_chose_has_what_holds_for_everybody(db: Database) -> None:
    with db.transaction() as tx:
        assert preferences.find(tx, "customer-1") == NEVER_CHOSEN
        assert preferences.lock(tx, "customer-1") == NEVER_CHOSEN


def test_preferences_are_read_as_they_were_saved(db: Database) -> None:
    chosen = Preferences(Choice(Language.ES, requested_cancellations=False), 1)

    with db.transaction() as tx:
        preferences.lock(tx, "customer-1")
        preferences.save(tx, "customer-1", chosen)
        assert preferences.find(tx, "customer-1") == chosen
        assert preferences.find(tx, "customer-2") == NEVER_CHOSEN
