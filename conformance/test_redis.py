"""The commands and scripts that the services send, as their own clients send them."""

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import redis
from auth.clients import Limits
from auth.domain import TooManyLogins
from auth.settings import Settings as AuthSettings
from cart.clients.cart_cache import PUT
from catalog.clients.scripts import HOLD, LOOK, OFFER, OUTDATE
from common.auth.revocation import RevokedSessions
from common.testing import REDIS_WITHIN_S
from harness.eventually import eventually

EXPIRES_WITHIN_S = 20.0
LONG_MS = 60_000


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def client(redis_url: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """An empty server, in either version of the protocol: redis-py speaks 3 unless told."""
    with redis.Redis.from_url(redis_url, decode_responses=True, protocol=request.param) as client:
        client.flushall()
        yield client


# Commands


def test_a_value_is_kept_until_its_time_is_over(client: Any) -> None:
    assert client.set("kept", "ü", px=60_000) is True
    assert client.set("key", "ü", px=150) is True

    assert client.get("kept") == "ü"
    assert 0 < client.pttl("kept") <= 60_000
    eventually(lambda: client.get("key") is None, EXPIRES_WITHIN_S, "it expires")
    assert client.pttl("key") == -2


def test_of_two_who_set_what_is_not_there_one_does(client: Any) -> None:
    assert client.set("key", "first", nx=True, px=LONG_MS) is True
    assert client.set("key", "second", nx=True, px=LONG_MS) is None
    assert client.set("other", "x", xx=True) is None

    assert client.get("key") == "first"


def test_setting_with_keepttl_keeps_the_time(client: Any) -> None:
    client.set("key", "a", ex=60)
    client.set("key", "b", keepttl=True)

    assert 0 < client.ttl("key") <= 60
    client.set("key", "c")
    assert client.ttl("key") == -1


def test_what_is_there_is_counted_and_deleted_once(client: Any) -> None:
    client.set("key", "a")

    assert (client.exists("key"), client.delete("key"), client.delete("key")) == (1, 1, 0)


def test_bytes_come_back_as_they_were(redis_url: str) -> None:
    value = bytes(range(256))
    with redis.Redis.from_url(redis_url) as client:
        client.set("bytes", value)

        assert client.get("bytes") == value


def test_a_transaction_answers_for_each_of_its_commands(client: Any) -> None:
    with client.pipeline(transaction=True) as pipe:
        pipe.zadd("ended", {"a": 1.5, "b": 2.5})
        pipe.zremrangebyscore("ended", "-inf", 2)
        pipe.expire("ended", 60)
        answers = pipe.execute()

    assert answers == [2, 1, True]
    assert client.zrange("ended", 0, "+inf", byscore=True, withscores=True) == [["b", 2.5]] or (
        client.zrange("ended", 0, "+inf", byscore=True, withscores=True) == [("b", 2.5)]
    )


def test_a_pipeline_without_transaction_answers_in_order(client: Any) -> None:
    with client.pipeline(transaction=False) as pipe:
        for number in range(500):
            pipe.set(f"key-{number}", number, ex=60)
        pipe.get("key-7")
        answers = pipe.execute()

    assert answers == [True] * 500 + ["7"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        pytest.param(("INCR", "text"), "value is not an integer", id="not-a-number"),
        pytest.param(("ZADD", "text", "1", "a"), "WRONGTYPE", id="wrong-type"),
        pytest.param(("NOSUCHCOMMAND",), "unknown command", id="no-such-command"),
        pytest.param(("GET",), "wrong number of arguments", id="too-few-arguments"),
        pytest.param(
            ("EVAL", "return redis.call('INCR', KEYS[1])", "1", "text"),
            "not an integer",
            id="in-a-script",
        ),
        pytest.param(
            ("EVALSHA", "0" * 40, "0"), "No matching script", id="script-that-is-not-there"
        ),
    ],
)
def test_a_wrong_command_is_refused_in_known_words(
    client: Any, command: tuple[str, ...], words: str
) -> None:
    client.set("text", "words")

    with pytest.raises(redis.ResponseError, match=words):
        client.execute_command(*command)


# Scripts


def test_a_script_that_was_forgotten_is_sent_again(client: Any) -> None:
    script = client.register_script("return ARGV[1]")
    assert script(args=["a"]) == "a"

    client.script_flush()

    assert script(args=["b"]) == "b"


def test_what_lua_answers_comes_back_by_its_type(client: Any) -> None:
    answer = client.eval(
        "return {1, 'a', false, 2.9, redis.call('GET', 'nothing'), {ok = 'FINE'}}", 0
    )

    assert answer[:5] == [1, "a", None, 2, None]


def test_the_server_tells_the_time_to_a_script(client: Any) -> None:
    seconds, micros = client.eval("return redis.call('TIME')", 0)

    assert abs(int(seconds) - client.time()[0]) <= 1
    assert 0 <= int(micros) < 1_000_000


def test_the_catalogues_scripts_agree_on_an_entry(client: Any) -> None:
    hold, look, offer, outdate = map(client.register_script, (HOLD, LOOK, OFFER, OUTDATE))

    assert look(keys=["sku"], args=[LONG_MS]) == ["l"]
    assert look(keys=["sku"], args=[LONG_MS]) == ["w"]
    offer(keys=["sku"], args=[LONG_MS, LONG_MS, 5, "mug"])
    assert look(keys=["sku"], args=[LONG_MS]) == ["fmug"]
    hold(keys=["sku"], args=[LONG_MS])
    assert look(keys=["sku"], args=[LONG_MS]) == ["h"]
    outdate(keys=["sku"], args=[LONG_MS, 6])
    offer(keys=["sku"], args=[LONG_MS, LONG_MS, 5, "older"])
    assert client.get("sku") == "6:0:"
    offer(keys=["sku"], args=[LONG_MS, LONG_MS, 6, "mug again"])
    assert look(keys=["sku"], args=[LONG_MS]) == ["fmug again"]


def test_the_carts_script_keeps_the_newest_copy(client: Any) -> None:
    put = client.register_script(PUT)

    assert put(keys=["cart"], args=[2, "two", 60, "", 0]) == 1
    assert put(keys=["cart"], args=[1, "one", 60, "", 0]) == 0
    client.set("cart", "held:mine", ex=10)
    assert put(keys=["cart"], args=[4, "four", 60, "other", 1]) == 0
    assert client.get("cart") == "held:mine|4:four"
    assert client.ttl("cart") <= 10
    assert put(keys=["cart"], args=[3, "three", 60, "mine", 1]) == 1
    assert client.get("cart") == "4:four"


# The services' own clients


def test_a_session_that_one_process_ended_is_ended_for_another(redis_url: str) -> None:
    patient = partial(RevokedSessions, timeout_s=REDIS_WITHIN_S)
    tells, asks = patient(redis_url), patient(redis_url, refresh_s=0)

    tells.add(["session-1"])

    assert asks.contains("session-1")
    assert not asks.contains("session-2")


def test_attempts_to_log_in_are_counted_over_all_processes(redis_url: str) -> None:
    settings = AuthSettings.model_construct(redis_url=redis_url)
    processes = [Limits(settings, timeout_s=REDIS_WITHIN_S) for _ in range(2)]
    refused = 0

    for number in range(8):
        try:
            processes[number % 2].count_login("ana@example.test", "203.0.113.7")
        except TooManyLogins:
            refused += 1

    assert refused == 3


def test_of_many_who_load_one_entry_at_once_one_does(client: Any) -> None:
    look = client.register_script(LOOK)
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.extend(look(keys=["hot"], args=[LONG_MS])))
        for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == ["l"] + ["w"] * 7
