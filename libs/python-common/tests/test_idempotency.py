import threading

import pytest
from common import idempotency
from common.db import Database
from common.idempotency import Answer, IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight
from common.testing import AT_ONCE

DONE = Answer(202, "/orders/1", '{"id":"1"}')


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
        assert idempotency.claim(tx, "ana", "k", "print") is None
        idempotency.store(tx, "ana", "k", DONE)

    with db.transaction() as tx:
        again = idempotency.claim(tx, "ana", "k", "print")
        other_shopper = idempotency.find(tx, "ben", "k", "print")

    assert again == DONE
    assert other_shopper is None
    with db.transaction() as tx, pytest.raises(IdempotencyKeyReused):
        idempotency.claim(tx, "ana", "k", "another print")


def test_a_rolled_back_request_leaves_its_key_free(db: Database) -> None:
    def claim_and_fail() -> None:
        with db.transaction() as tx:
            idempotency.claim(tx, "ana", "k", "print")
            raise ValueError("crashed")

    with pytest.raises(ValueError, match="crashed"):
        claim_and_fail()

    with db.transaction() as tx:
        assert idempotency.claim(tx, "ana", "k", "print") is None


def test_a_request_in_flight_too_long_is_a_conflict(db: Database) -> None:
    with db.transaction() as first:
        idempotency.claim(first, "ana", "k", "print")

        with db.transaction() as second:
            second.execute(AT_ONCE)
            with pytest.raises(RequestInFlight):
                idempotency.claim(second, "ana", "k", "print")


def test_of_many_concurrent_requests_with_one_key_exactly_one_runs(db: Database) -> None:
    barrier, claimed = threading.Barrier(8), []

    def request() -> None:
        barrier.wait()
        with db.transaction() as tx:
            answer = idempotency.claim(tx, "ana", "k", "print")
            if answer is None:
                idempotency.store(tx, "ana", "k", DONE)
            claimed.append(answer)

    threads = [threading.Thread(target=request) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert claimed.count(None) == 1
    assert claimed.count(DONE) == 7
