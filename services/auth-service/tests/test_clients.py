"""The limit of logins, against a real server of Redis's protocol."""

import pytest
import redis
from auth.clients import LOGINS_PER_MINUTE, LoginLimit
from auth.domain import LoginLimitUnavailable, TooManyLogins

ANA, HERE = "ana@example.com", "192.0.2.1"


def exhaust(limit: LoginLimit) -> None:
    for _ in range(LOGINS_PER_MINUTE):
        limit.count(ANA, HERE)


def test_the_eleventh_login_within_a_minute_is_too_many(redis_url: str) -> None:
    limit = LoginLimit(redis_url)
    exhaust(limit)

    with pytest.raises(TooManyLogins) as refusal:
        limit.count(ANA, HERE)

    wait_s = refusal.value.members["retry_after_s"]
    assert isinstance(wait_s, int)
    assert 1 <= wait_s <= 60


def test_another_person_and_another_place_have_their_own_limit(redis_url: str) -> None:
    limit = LoginLimit(redis_url)
    exhaust(limit)

    limit.count("bob@example.com", HERE)
    limit.count(ANA, "192.0.2.2")
    with pytest.raises(TooManyLogins):
        limit.count(ANA, HERE)


def test_all_instances_count_together(redis_url: str) -> None:
    exhaust(LoginLimit(redis_url))

    with pytest.raises(TooManyLogins):
        LoginLimit(redis_url).count(ANA, HERE)


def test_redis_learns_nobodys_address_and_forgets(redis_url: str) -> None:
    LoginLimit(redis_url).count(ANA, HERE)

    with redis.Redis.from_url(redis_url) as client:
        (key,) = client.keys("*")
        assert b"ana" not in key
        assert 0 < int(client.ttl(key)) <= 60


def test_without_redis_nobody_logs_in() -> None:
    with pytest.raises(LoginLimitUnavailable):
        LoginLimit("unix:///nowhere/redis.sock").count(ANA, HERE)
