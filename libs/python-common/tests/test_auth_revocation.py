"""Sessions that are over: told by one process, known to the others within seconds."""

import time
from functools import partial

import pytest
import redis
from common.auth import RevokedSessions, revocation
from common.testing import REDIS_WITHIN_S, fixtures

valkey_url, redis_url = fixtures.valkey()
patient = partial(RevokedSessions, timeout_s=REDIS_WITHIN_S)


def test_what_one_revokes_another_knows(redis_url: str) -> None:
    here, there = patient(redis_url), patient(redis_url, refresh_s=0)
    assert not there.contains("s1")

    here.add(["s1", "s2"])

    assert here.contains("s1")
    assert there.contains("s1")
    assert there.contains("s2")
    assert not there.contains("s3")


def test_between_two_readings_nobody_is_asked(redis_url: str) -> None:
    here, there = patient(redis_url), patient(redis_url, refresh_s=3600)
    assert not there.contains("s1")
    here.add(["s1"])

    assert not there.contains("s1")
    assert revocation.REFRESH_S < 5, "documented: within five seconds"


def test_what_one_revokes_itself_hides_nothing_of_others(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = patient(redis_url, refresh_s=0), patient(redis_url)
    assert not here.contains("s1")

    there.add(["s1"])
    later = time.time() + 2 * revocation.OVERLAP_S
    monkeypatch.setattr(time, "time", lambda: later)
    here.add(["s2"])

    assert here.contains("s1")


def test_a_clock_that_is_ahead_hides_nothing_of_others(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there, ahead = patient(redis_url, refresh_s=0), patient(redis_url), patient(redis_url)
    with monkeypatch.context() as other_clock:
        later = time.time() + 60
        other_clock.setattr(time, "time", lambda: later)
        ahead.add(["s1"])
    assert here.contains("s1")

    there.add(["s2"])

    assert here.contains("s2")


def test_who_starts_later_knows_it_too(redis_url: str) -> None:
    patient(redis_url).add(["s1"])

    assert patient(redis_url).contains("s1")


def test_what_no_token_can_be_of_any_more_is_forgotten(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient(redis_url).add(["old"])
    with redis.Redis.from_url(redis_url) as client:
        client.zincrby(revocation.KEY, -revocation.REMEMBERED_S - 1, "old")
        patient(redis_url).add(["new"])

        assert client.zrange(revocation.KEY, 0, -1) == [b"new"]
        assert 0 < int(client.ttl(revocation.KEY)) <= revocation.REMEMBERED_S
    assert not patient(redis_url).contains("old")


def test_without_redis_tokens_hold_until_they_expire() -> None:
    down = RevokedSessions("unix:///nowhere/redis.sock", refresh_s=0)

    down.add(["s1"])

    assert down.contains("s1"), "whoever revoked it knows"
    assert not down.contains("s2")
