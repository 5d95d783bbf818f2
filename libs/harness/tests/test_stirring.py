"""Messages of one flow on the emulators' queues; what the books say is asked of a real shop."""

from collections.abc import Callable
from typing import Any

import httpx
import psycopg2
import pytest
from harness.process.endpoints import Endpoints
from harness.proof import motion
from harness.proof.motion import PEEKS, Stirring
from harness.topology import messaging
from harness.topology.messaging import Depth

OURS, THEIRS = "a1" * 16, "b2" * 16
INBOX = "http://queues:4566/000000000000/order-inbox"
OTHER = "http://queues:4566/000000000000/of-another-shop"
SHOP = {
    "aws_endpoint_url": "http://queues:4566",
    "queue_urls": {"order-inbox": INBOX},
    "payment_provider_url": "http://provider",
}

Answer = Callable[[httpx.Request], httpx.Response]


class NoRows:
    """Books in which nothing of any flow is under way."""

    closed = False

    def __enter__(self) -> "NoRows":
        return self

    def __exit__(self, *_: object) -> None: ...
    def cursor(self) -> "NoRows":
        return self

    def execute(self, *_: object) -> None: ...
    def fetchall(self) -> list[Any]:
        return []


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], Stirring]:
    """A `Stirring` whose every HTTP question is answered by a function."""
    client = httpx.Client

    def look(answer: Answer) -> Stirring:
        transport = httpx.MockTransport(answer)
        monkeypatch.setattr(
            motion.httpx, "Client", lambda **options: client(transport=transport, **options)
        )
        monkeypatch.setattr(psycopg2, "connect", lambda _: NoRows())
        blank = dict.fromkeys(Endpoints.__dataclass_fields__, "")
        return Stirring(Endpoints(**(blank | SHOP)))  # type: ignore[arg-type]

    return look


def message(trace_id: str) -> str:
    return f'{{"type": "order.placed", "traceparent": "00-{trace_id}-00f067aa0ba902b7-01"}}'


def ministack(queues: dict[str, list[str]]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != PEEKS[0]:
            return httpx.Response(404)
        return httpx.Response(200, json={"messages": {"0": {"us-east-1": queues}}})

    return answer


def localstack(queues: dict[str, str]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != PEEKS[1]:
            return httpx.Response(404)
        return httpx.Response(200, text=queues[request.url.params["QueueUrl"]])

    return answer


@pytest.mark.parametrize(
    "emulator", [ministack({INBOX: [message(OURS)]}), localstack({INBOX: message(OURS)})],
    ids=["ministack", "localstack"],
)  # fmt: skip
def test_a_message_of_the_flow_is_named_with_its_queue(
    looking: Callable[[Answer], Stirring], emulator: Answer
) -> None:
    assert looking(emulator)(OURS) == ["order.placed waits on order-inbox"]


@pytest.mark.parametrize(
    "emulator", [ministack({INBOX: [message(THEIRS)]}), localstack({INBOX: message(THEIRS)})],
    ids=["ministack", "localstack"],
)  # fmt: skip
def test_messages_of_other_flows_do_not_matter(
    looking: Callable[[Answer], Stirring], emulator: Answer
) -> None:
    assert looking(emulator)(OURS) == []


def test_queues_of_another_shop_do_not_matter(looking: Callable[[Answer], Stirring]) -> None:
    assert looking(ministack({OTHER: [message(OURS)], INBOX: []}))(OURS) == []


def test_a_message_that_is_no_event_is_still_a_message(
    looking: Callable[[Answer], Stirring],
) -> None:
    assert looking(ministack({INBOX: [OURS]}))(OURS) == ["a message waits on order-inbox"]


def test_an_emulator_that_was_found_and_then_fails_is_an_error(
    looking: Callable[[Answer], Stirring],
) -> None:
    answers = iter([httpx.Response(200, json={"messages": {}})])
    one_answer = looking(lambda _: next(answers, httpx.Response(503)))

    with pytest.raises(httpx.HTTPStatusError, match="503"):
        one_answer(OURS)


@pytest.mark.parametrize(
    ("depth", "told"),
    [
        (Depth(0, 0, 0), []),
        (Depth(1, 0, 0), ["1 messages on order-inbox"]),
        (Depth(0, 2, 1), ["3 messages on order-inbox"]),
    ],
)
def test_where_nobody_shows_messages_every_one_may_be_of_the_flow(
    looking: Callable[[Answer], Stirring],
    monkeypatch: pytest.MonkeyPatch,
    depth: Depth,
    told: list[str],
) -> None:
    monkeypatch.setattr(messaging, "depths", lambda _, queues: dict.fromkeys(queues, depth))

    assert looking(lambda _: httpx.Response(404))(OURS) == told
