"""The limits, against a real server of Redis's protocol."""

import pytest
import redis
from auth.clients import Limits
from auth.domain import (
    LoginLimitUnavailable,
    TooManyGuests,
    TooManyLogins,
    TooManyRegistrations,
)
from auth.settings import Settings
from common.testing import REDIS_WITHIN_S

ANA, BOB, HERE, THERE = "ana@example.com", "bob@example.com", "192.0.2.1", "192.0.2.2"
NOWHERE = "unix:///nowhere/redis.sock"


@pytest.fixture
def limits(settings: Settings, redis_url: str) -> Limits:
    return Limits(settings, timeout_s=REDIS_WITHIN_S)


def exhaust(limits: Limits, address: str = HERE, account: str = ANA, times: int = 5) -> None:
    for _ in range(times):
        limits.count_login(account, address)


def test_the_sixth_login_of_an_account_within_a_minute_is_too_many(limits: Limits) -> None:
    exhaust(limits)

    with pytest.raises(TooManyLogins) as refusal:
        limits.count_login(ANA, HERE)

    wait_s = refusal.value.members["retry_after_s"]
    assert isinstance(wait_s, int)
    assert 1 <= wait_s <= 60


def test_another_person_and_another_place_have_their_own_limit(limits: Limits) -> None:
    exhaust(limits)

    limits.count_login(BOB, HERE)
    limits.count_login(ANA, THERE)
    with pytest.raises(TooManyLogins):
        limits.count_login(ANA, HERE)


def test_the_21st_login_from_an_address_is_too_many_whoever_is_tried(limits: Limits) -> None:
    for number in range(20):
        limits.count_login(f"customer-{number}@example.com", HERE)

    with pytest.raises(TooManyLogins):
        limits.count_login(ANA, HERE)

    limits.count_login(ANA, THERE)


def test_many_addresses_guess_no_faster_than_an_hours_budget(limits: Limits) -> None:
    for number in range(60):
        limits.count_login(ANA, f"198.51.100.{number}")

    with pytest.raises(TooManyLogins) as refusal:
        limits.count_login(ANA, "198.51.100.99")

    wait_s = refusal.value.members["retry_after_s"]
    assert isinstance(wait_s, int)
    assert 60 < wait_s <= 3600


def test_an_attack_from_everywhere_does_not_lock_its_victim_out_at_home(limits: Limits) -> None:
    limits.count_login(ANA, HERE)
    limits.remember_login(ANA, HERE)
    for number in range(70):
        with_room = number < 59
        try:
            limits.count_login(ANA, f"198.51.100.{number}")
        except TooManyLogins:
            assert not with_room
    with pytest.raises(TooManyLogins):
        limits.count_login(ANA, THERE)

    limits.count_login(ANA, HERE)


def test_what_one_limit_refuses_uses_up_no_other(limits: Limits) -> None:
    exhaust(limits)
    for _ in range(70):
        with pytest.raises(TooManyLogins):
            limits.count_login(ANA, HERE)

    limits.count_login(ANA, THERE)


def test_addresses_of_one_ipv6_network_count_as_one(limits: Limits) -> None:
    for number in range(5):
        limits.count_login(ANA, f"2001:db8:0:1::{number:x}")

    with pytest.raises(TooManyLogins):
        limits.count_login(ANA, "2001:db8:0:1:ffff::1")
    limits.count_login(ANA, "2001:db8:0:2::1")


@pytest.mark.parametrize(
    "address", ["192.0.2.7:{port}", "[2001:db8:0:1::7]:{port}", "[2001:db8:0:1::7]"]
)
def test_a_port_makes_nobody_another(limits: Limits, address: str) -> None:
    """Some proxies name the connection they speak for, which is another each time."""
    for number in range(5):
        limits.count_login(ANA, address.format(port=40_000 + number))

    with pytest.raises(TooManyLogins):
        limits.count_login(ANA, address.format(port=50_000))
    with pytest.raises(TooManyLogins):
        limits.count_login(ANA, address.strip("[]").split("]")[0].removesuffix(":{port}"))


def test_an_ipv4_address_is_itself_in_either_notation(limits: Limits) -> None:
    exhaust(limits)

    with pytest.raises(TooManyLogins):
        limits.count_login(ANA, f"::ffff:{HERE}")


def test_all_instances_count_together(settings: Settings, limits: Limits) -> None:
    exhaust(limits)

    with pytest.raises(TooManyLogins):
        Limits(settings, timeout_s=REDIS_WITHIN_S).count_login(ANA, HERE)


def test_limits_are_settings(settings: Settings, redis_url: str) -> None:
    wide = Limits(
        settings.model_copy(
            update={
                "logins_per_minute_per_account": 1000,
                "logins_per_minute_per_address": 1000,
                "logins_per_hour_per_account": 1000,
            }
        ),
        timeout_s=REDIS_WITHIN_S,
    )

    exhaust(wide, times=200)

    with redis.Redis.from_url(redis_url) as client:
        assert client.keys("*login-account*")


def test_accounts_are_opened_ten_a_minute_from_one_address(limits: Limits) -> None:
    for _ in range(10):
        limits.count_registration(HERE)

    with pytest.raises(TooManyRegistrations):
        limits.count_registration(HERE)
    limits.count_registration(THERE)


def test_guests_come_sixty_a_minute_from_one_address(limits: Limits) -> None:
    for _ in range(60):
        limits.count_guest(HERE)

    with pytest.raises(TooManyGuests):
        limits.count_guest(HERE)
    limits.count_guest(THERE)


def test_redis_learns_nobodys_address_and_forgets(limits: Limits, redis_url: str) -> None:
    limits.count_login(ANA, HERE)
    limits.remember_login(ANA, HERE)
    limits.count_guest(HERE)

    with redis.Redis.from_url(redis_url) as client:
        keys = client.keys("*")
        assert len(keys) == 5
        for key in keys:
            assert b"ana" not in key
            assert HERE.encode() not in key
            assert 0 < int(client.ttl(key)) <= 30 * 24 * 3600


def test_without_redis_nobody_logs_in_but_guests_and_newcomers_enter(settings: Settings) -> None:
    down = Limits(settings.model_copy(update={"redis_url": NOWHERE}))

    with pytest.raises(LoginLimitUnavailable):
        down.count_login(ANA, HERE)
    assert down.count_guest(HERE) is None  # type: ignore[func-returns-value]
    assert down.count_registration(HERE) is None  # type: ignore[func-returns-value]
    assert down.remember_login(ANA, HERE) is None  # type: ignore[func-returns-value]
