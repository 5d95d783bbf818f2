import threading

import pytest
from common import idempotency
from common.db import Database
from common.idempotency import (
    Answer,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    RequestInFlight,
    idempotency_keys,
    once,
)
from common.testing import AT_ONCE
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import OperationalError

DONE = Answer.of({"id": "1"}, 202, "/orders/1")


def done(_tx: Connection) -> Answer:
    return DONE


def fail(_tx: Connection) -> Answer:
    raise ValueError("crashed")


@pytest.mark.parametrize(
    ("header", "key"), [("k-1", "k-1"), ('"k-1"', "k-1"), (" k-1 ", "k-1"), ("x" * 255, "x" * 255)]
)
def test_a_key_is_read_bare_or_quoted(header: str, key: str) -> None:
    assert idempotency.read_key(header) == key


@pytest.mark.parametrize("header", [None, "", '""', "x" * 256, "two words", "schlüssel", "a\x00b"])
def test_a_missing_or_odd_key_is_refused(header: str | None) -> None:
    with pytest.raises(IdempotencyKeyMissing):
        idempotency.read_key(header)


def test_the_fingerprint_does_not_depend_on_the_order_of_members() -> None:
    one = idempotency.fingerprint("POST", {"a": 1, "b": 2})

    assert one == idempotency.fingerprint("POST", {"b": 2, "a": 1})
    assert one != idempotency.fingerprint("POST", {"a": 1, "b": 3})


def test_the_stored_answer_comes_back_for_the_same_request_only(db: Database) -> None:
    with db.transaction() as tx:
        assert once(tx, "ana", "k", "print", done) == DONE

    with db.transaction() as tx:
        again = once(tx, "ana", "k", "print", fail)
        other_shopper = idempotency.find(tx, "ben", "k", "print")

    assert again == DONE
    assert other_shopper is None
    with db.transaction() as tx, pytest.raises(IdempotencyKeyReused):
        once(tx, "ana", "k", "another print", fail)


def test_without_a_key_a_request_acts_every_time_and_leaves_nothing(db: Database) -> None:
    acted: list[Connection] = []

    def act(tx: Connection) -> Answer:
        acted.append(tx)
        return DONE

    with db.transaction() as tx:
        answers = [once(tx, "ana", None, "print", act) for _ in range(2)]
        kept = tx.execute(select(func.count()).select_from(idempotency_keys)).scalar()

    assert answers == [DONE, DONE]
    assert acted == [tx, tx]
    assert kept == 0


def test_a_rolled_back_request_leaves_its_key_free(db: Database) -> None:
    def crash() -> None:
        with db.transaction() as tx:
            once(tx, "ana", "k", "print", fail)

    with pytest.raises(ValueError, match="crashed"):
        crash()

    with db.transaction() as tx:
        assert once(tx, "ana", "k", "print", done) == DONE


def test_a_request_in_flight_too_long_is_a_conflict(db: Database) -> None:
    with db.transaction() as first:
        once(first, "ana", "k", "print", done)

        with db.transaction() as second:
            second.execute(AT_ONCE)
            with pytest.raises(RequestInFlight):
                once(second, "ana", "k", "print", fail)


def test_of_many_concurrent_requests_with_one_key_exactly_one_runs(db: Database) -> None:
    barrier, acted, answers = threading.Barrier(8), [], []

    def act(tx: Connection) -> Answer:
        acted.append(tx)
        return DONE

    def request() -> None:
        barrier.wait()
        with db.transaction() as tx:
            answers.append(once(tx, "ana", "k", "print", act))

    threads = [threading.Thread(target=request) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(acted) == 1
    assert answers == [DONE] * 8


def test_a_stored_answer_is_rendered_as_it_was() -> None:
    response = DONE.render()

    assert (response.status_code, response.get_data(as_text=True)) == (202, '{"id":"1"}')
    assert response.headers["Location"] == "/orders/1"
    assert response.mimetype == "application/json"
    assert "Location" not in Answer.of({"id": "1"}, 201).render().headers


def _never(_tx: Connection) -> Answer:
    raise AssertionError


def test_the_same_key_of_two_shoppers_has_two_answers(db: Database) -> None:
    ana, ben = Answer.of({"id": "1"}, 202), Answer.of({"id": "2"}, 202)
    for subject, answer in (("ana", ana), ("ben", ben)):
        with db.transaction() as tx:
            once(tx, subject, "k", "print", lambda _tx, answer=answer: answer)

    with db.transaction() as tx:
        again = [once(tx, subject, "k", "print", _never) for subject in ("ana", "ben")]

    assert again == [ana, ben]


def test_only_a_key_that_somebody_holds_is_in_flight(db: Database) -> None:
    def done(_tx: Connection) -> Answer:
        return Answer.of({"id": "1"}, 202)

    def come_too_late() -> None:
        with db.transaction() as second:
            second.execute(text("SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 50"))
            once(second, "ana", "k", "print", done)

    with db.transaction() as first:
        once(first, "ana", "k", "print", done)
        with pytest.raises(OperationalError, match="statement timeout"):
            come_too_late()
