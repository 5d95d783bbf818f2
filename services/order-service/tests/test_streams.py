"""Server-sent events: what is said, when a stream ends, and who notices."""

import socket
import struct
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from order.routes import streams
from order.routes.streams import MalformedEventId, News, Streams, TooManyStreams, follow, frame


class Clock:
    """Time passes when somebody waits for it, and not otherwise."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.now_s += seconds


def nothing() -> News:
    return News()


def never() -> bool:
    return False


def followed(
    first: News,
    look: Callable[[], News] = nothing,
    is_over: Callable[[], bool] = never,
    clock: Clock | None = None,
) -> Iterator[str]:
    clock = clock or Clock()
    return follow(first, look, is_over, clock=clock, pause=clock.pause)


def test_an_event_is_a_name_a_number_and_one_line_of_json() -> None:
    assert frame("status", 3, {"event": "a\nb"}) == (
        'event: status\nid: 3\ndata: {"event":"a\\nb"}\n\n'
    )


def test_a_stream_begins_with_when_to_ask_again_and_the_first_news() -> None:
    assert next(followed(News(("one\n\n",)))) == "retry: 1000\n\none\n\n"


def test_after_the_last_news_a_stream_ends() -> None:
    later = iter([News(("two",)), News(), News(("three", "four"), is_last=True)])

    said = list(followed(News(("one",)), lambda: next(later)))

    assert said == ["retry: 1000\n\none", "two", "threefour"]


def test_what_is_over_at_once_is_not_looked_at_again() -> None:
    def look() -> News:
        raise AssertionError("nobody needs to know")

    assert len(list(followed(News(("one",), is_last=True), look))) == 1


def test_silence_is_broken_every_fifteen_seconds_and_news_count_as_sound() -> None:
    clock = Clock()
    talks_at = {1_010.0}
    look: Callable[[], News] = lambda: News(("news",) if clock.now_s in talks_at else ())  # noqa: E731
    stream = followed(News(), look, lambda: clock.now_s >= 1_045, clock)

    said = [(words, clock.now_s) for words in stream]

    assert said[1:] == [
        ("news", 1_010.0), (": still here\n\n", 1_025.0), (": still here\n\n", 1_040.0),
    ]  # fmt: skip


def test_no_stream_outlives_its_five_minutes() -> None:
    clock = Clock()

    said = list(followed(News(), clock=clock))

    assert clock.now_s == 1_000 + streams.LIFE_S
    assert len(said) == 1 + streams.LIFE_S / streams.HEARTBEAT_S


def test_a_stream_ends_within_one_look_when_its_thread_is_wanted() -> None:
    clock = Clock()

    list(followed(News(), is_over=lambda: clock.now_s > 1_000, clock=clock))

    assert clock.now_s == 1_000 + streams.POLL_S


@pytest.mark.parametrize(("header", "number"), [(None, None), ("1", 1), ("999999999", 999999999)])
def test_the_last_event_is_known_by_its_number(header: str | None, number: int | None) -> None:
    assert streams.read_last_event_id(header) == number


@pytest.mark.parametrize("header", ["", "0", "-1", "01", "1.5", "٣", "1234567890", "x", "1 2"])
def test_any_other_event_id_is_refused(header: str) -> None:
    with pytest.raises(MalformedEventId):
        streams.read_last_event_id(header)


def test_no_more_streams_than_threads_are_set_aside_and_each_comes_back() -> None:
    with Flask("probe").test_request_context():
        few = Streams(2)
        first, second = few.respond(["a"]), few.respond(["b"])
        with pytest.raises(TooManyStreams) as refused:
            few.respond(["c"])

        first.close()
        third = few.respond(["c"])

        assert refused.value.members == {"retry_after_s": 5}
        assert [second.get_data(), third.get_data()] == [b"b", b"c"]


def test_a_client_that_closed_or_reset_has_gone_and_an_eager_one_has_not() -> None:
    server, client = socket.socketpair()
    quiet = streams.has_gone(server)
    client.sendall(b"GET / HTTP/1.1")
    eager = streams.has_gone(server)
    server.recv(100)
    client.close()

    assert (quiet, eager, streams.has_gone(server)) == (False, False, True)
    server.close()
    assert streams.has_gone(server)


def test_a_client_that_resets_its_connection_has_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        linger_none = struct.pack("ii", 1, 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_none)
        client.close()

        assert streams.has_gone(server)
        server.close()


def test_half_of_the_threads_are_left_for_those_who_do_not_wait() -> None:
    from common import gunicorn_config

    assert gunicorn_config.threads // 2 >= streams.STREAMS_MAX
