"""The proxies on real sockets, before servers of this test's own."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import h11
import httpx
import psutil
import pytest
from harness.faults import message_proxy
from harness.faults.http_rules import HttpRulebook
from harness.faults.http_wire import Whole, Wire, answer
from harness.faults.journal import Journal
from harness.faults.message_proxy import MessageProxy
from harness.faults.rules import Fault, Operation, Rule, Rulebook
from harness.faults.server import Desk
from harness.faults.tcp_proxy import TcpProxy
from harness.process import ports
from sockets_for_tests import HOST, SOON_S, listening, soon, until

pytestmark = pytest.mark.slow

TOPIC = "arn:aws:sns:us-east-1:000000000000:order-events"
QUEUE = "http://queues:4566/000000000000/order-inbox"


@dataclass
class Emulator:
    """Remembers what it was asked; hands over one message of each type that was put in."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    is_silent: bool = False
    status: int = 200
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(reader, writer, h11.SERVER)
        while (request := await wire.receive()) is not None:
            self.asked.append((request.header(b"x-amz-target"), request.body.decode()))
            self.heard.set()
            if self.is_silent:
                await wire.peer_gone()
                self.left.set()
                break
            await wire.send(self._answer())
            if not wire.next_cycle():
                break
        writer.close()

    def _answer(self) -> Whole:
        messages = [
            {"Body": json.dumps({"id": f"e-{t}", "type": t}), "ReceiptHandle": f"r-{t}"}
            for t in self.waiting
        ]
        body = json.dumps({"Messages": messages}).encode()
        return answer(self.status, "application/x-amz-json-1.0", body)


@dataclass
class Post:
    """A message proxy before an emulator, and a client of it."""

    emulator: Emulator
    proxy: MessageProxy
    client: httpx.AsyncClient

    async def tell(self, *event_types: str) -> httpx.Response:
        form = {"Action": "PublishBatch", "TopicArn": TOPIC}
        for number, event_type in enumerate(event_types, start=1):
            entry = f"PublishBatchRequestEntries.member.{number}"
            form |= {f"{entry}.Id": str(number)}
            form |= {f"{entry}.Message": json.dumps({"type": event_type})}
        return await self.client.post("/", content=urlencode(form))

    async def receive(self) -> list[str]:
        """The types of the messages that were handed over."""
        said = await self._sqs("ReceiveMessage", {"QueueUrl": QUEUE})
        return [json.loads(m["Body"])["type"] for m in said.json()["Messages"]]

    async def delete(self, receipt: str) -> httpx.Response:
        return await self._sqs("DeleteMessage", {"QueueUrl": QUEUE, "ReceiptHandle": receipt})

    async def _sqs(self, name: str, body: dict[str, str]) -> httpx.Response:
        headers = {"X-Amz-Target": f"AmazonSQS.{name}"}
        return await self.client.post("/", content=json.dumps(body), headers=headers)

    def types_told(self) -> list[str]:
        return [
            "order.cancelled" if "order.cancelled" in body else "order.placed"
            for target, body in self.emulator.asked
            if not target
        ]

    def journal(self) -> list[str]:
        return [entry["what"] for entry in self.proxy.journal.to_json(0)]


@asynccontextmanager
async def post(*rules: Rule) -> AsyncIterator[Post]:
    emulator = Emulator()
    async with listening(emulator.serve) as upstream:
        proxy = MessageProxy((HOST, upstream), Rulebook(), Journal(), visibility_timeout_s=5)
        for rule in rules:
            proxy.rules.add(rule)
        async with (
            listening(proxy.serve) as port,
            httpx.AsyncClient(base_url=f"http://{HOST}:{port}", timeout=SOON_S) as client,
        ):
            yield Post(emulator, proxy, client)


def test_without_a_rule_everything_passes_and_nothing_is_noted() -> None:
    async def steps() -> None:
        async with post() as shop:
            said = await shop.tell("order.placed")

            assert (said.status_code, shop.types_told()) == (200, ["order.placed"])
            assert shop.journal() == []

    soon(steps())


def test_what_is_refused_did_not_reach_the_topic() -> None:
    async def steps() -> None:
        async with post(Rule(Fault.REFUSE)) as shop:
            said = await shop.tell("order.placed")

            assert (said.status_code, shop.types_told()) == (503, [])
            assert shop.journal() == ["refuse"]

    soon(steps())


def test_what_is_dropped_is_told_as_done_and_is_not() -> None:
    async def steps() -> None:
        async with post(Rule(Fault.DROP)) as shop:
            said = await shop.tell("order.placed")

            assert (said.status_code, shop.types_told()) == (200, [])
            assert "<Id>1</Id>" in said.text

    soon(steps())


def test_what_is_doubled_is_told_twice() -> None:
    async def steps() -> None:
        async with post(Rule(Fault.DUPLICATE)) as shop:
            await shop.tell("order.placed")

            assert shop.types_told() == ["order.placed", "order.placed"]

    soon(steps())


def test_a_lost_answer_comes_after_the_deed() -> None:
    async def steps() -> None:
        async with post(Rule(Fault.LOSE_ANSWER)) as shop:
            with pytest.raises(httpx.TransportError):
                await shop.tell("order.placed")

            assert shop.types_told() == ["order.placed"]

    soon(steps())


@pytest.mark.parametrize("fault", [Fault.DUPLICATE, Fault.LOSE_ANSWER])
def test_what_upstream_refused_is_not_noted_as_spoilt(fault: Fault) -> None:
    async def steps() -> None:
        async with post(Rule(fault)) as shop:
            shop.emulator.status = 503
            said = await shop.tell("order.placed")

            assert (said.status_code, shop.types_told()) == (503, ["order.placed"])
            assert shop.journal() == []

    soon(steps())


def test_what_was_delayed_is_told_as_soon_as_the_queues_are_back() -> None:
    """Their restart is a fault too: whoever had told it was answered long ago."""

    async def steps() -> None:
        async with post(Rule(Fault.DELAY, delay_s=0.01)) as shop:
            shop.emulator.status = 503
            await shop.tell("order.cancelled")
            await until(lambda: bool(shop.types_told()))
            shop.emulator.status = 200
            await until(lambda: shop.proxy.held() == 0)

            assert shop.journal() == ["delay", "released"]

    soon(steps())


def test_what_was_delayed_and_then_refused_is_not_noted_as_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(message_proxy, "RELEASED_WITHIN_S", 0.0)

    async def steps() -> None:
        async with post(Rule(Fault.DELAY, delay_s=0.01)) as shop:
            shop.emulator.status = 503
            await shop.tell("order.placed")
            await until(lambda: shop.proxy.held() == 0)

            assert shop.journal() == ["delay", "lost"]

    soon(steps())


def test_nothing_goes_on_because_of_news_that_nobody_was_told() -> None:
    async def steps() -> None:
        held = Rule(Fault.HOLD, event_type="order.placed", until="order.cancelled")
        async with post(held, Rule(Fault.DROP, event_type="order.cancelled")) as shop:
            await shop.tell("order.placed")
            await shop.tell("order.cancelled")
            assert shop.proxy.held() == 1
            await shop.tell("order.cancelled")
            await until(lambda: shop.proxy.held() == 0)

            assert shop.types_told() == ["order.cancelled", "order.placed"]

    soon(steps())


def test_who_is_gone_already_is_not_noted_as_killed() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    async def steps() -> None:
        async with post(Rule(Fault.KILL_BEFORE, pid=gone.pid, create_time=1.0)) as shop:
            with pytest.raises(httpx.TransportError):
                await shop.tell("order.placed")

            assert shop.journal() == []

    soon(steps())


@pytest.mark.parametrize("fault", [Fault.KILL_BEFORE, Fault.KILL_AFTER])
def test_a_stranger_with_the_pid_of_who_was_meant_stays_alive(fault: Fault) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        created = psutil.Process(stranger.pid).create_time() - 3600

        async def steps() -> None:
            async with post(Rule(fault, pid=stranger.pid, create_time=created)) as shop:
                with pytest.raises(httpx.TransportError):
                    await shop.tell("order.placed")

                assert shop.journal() == []

        soon(steps())
        stranger.communicate(b"\n")
    assert stranger.returncode == 0


def test_what_is_held_back_comes_after_what_it_waits_for() -> None:
    async def steps() -> None:
        rule = Rule(Fault.HOLD, event_type="order.placed", until="order.cancelled")
        async with post(rule) as shop:
            await shop.tell("order.placed")
            assert shop.proxy.held() == 1
            await shop.tell("order.cancelled")
            await until(lambda: shop.proxy.held() == 0)

            assert shop.types_told() == ["order.cancelled", "order.placed"]
            assert shop.journal() == ["hold", "released"]

    soon(steps())


def test_what_is_delayed_comes_by_itself() -> None:
    async def steps() -> None:
        async with post(Rule(Fault.DELAY, delay_s=0.01)) as shop:
            said = await shop.tell("order.placed")
            await until(lambda: shop.proxy.held() == 0)

            assert (said.status_code, shop.types_told()) == (200, ["order.placed"])

    soon(steps())


def test_what_is_refused_in_its_batch_is_not_told() -> None:
    async def steps() -> None:
        async with post(Rule(Fault.REFUSE_ENTRY, event_type="order.placed")) as shop:
            said = await shop.tell("order.placed")

            assert (said.status_code, shop.types_told()) == (200, [])
            assert "<Successful></Successful><Failed><member><Id>" in said.text
            assert shop.journal() == ["refuse_entry"]

    soon(steps())


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.REFUSE_ENTRY])
def test_what_is_lost_in_its_batch_takes_nothing_along(fault: Fault) -> None:
    """Of other news than those of the rule nobody may be able to do without."""

    async def steps() -> None:
        async with post(Rule(fault, event_type="order.placed")) as shop:
            said = await shop.tell("order.placed", "order.cancelled")

            ((_, told),) = shop.emulator.asked
            assert ("order.cancelled" in told, "order.placed" in told) == (True, False)
            assert ("<Failed></Failed>" in said.text) is (fault is Fault.DROP)
            (entry,) = shop.proxy.journal.to_json(0)
            assert [message["event_type"] for message in entry["messages"]] == ["order.placed"]

    soon(steps())


def test_half_of_what_is_garbled_arrives() -> None:
    async def steps() -> None:
        async with post(Rule(Fault.GARBLE)) as shop:
            await shop.tell("order.placed")

            assert "order.placed%22%7D" not in shop.emulator.asked[0][1]
            assert "Message=%7B%22type" in shop.emulator.asked[0][1]

    soon(steps())


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (Fault.DROP, ["stock.low"]),
        (Fault.DUPLICATE, ["order.placed", "order.placed", "stock.low"]),
    ],
)
def test_what_a_queue_hands_over_can_be_less_or_more(fault: Fault, seen: list[str]) -> None:
    async def steps() -> None:
        rule = Rule(fault, operation=Operation.RECEIVE, event_type="order.placed")
        async with post(rule) as shop:
            shop.emulator.waiting = ["order.placed", "stock.low"]

            assert await shop.receive() == seen
            assert await shop.receive() == ["order.placed", "stock.low"]

    soon(steps())


def test_what_was_lost_is_asked_to_come_again_soon() -> None:
    async def steps() -> None:
        async with post() as shop:
            await shop.receive()

            assert json.loads(shop.emulator.asked[0][1])["VisibilityTimeout"] == 5

    soon(steps())


def test_a_deletion_is_known_by_what_was_handed_over() -> None:
    async def steps() -> None:
        rule = Rule(Fault.DROP, operation=Operation.DELETE, event_type="order.placed")
        async with post(rule) as shop:
            shop.emulator.waiting = ["order.placed", "stock.low"]
            await shop.receive()
            await shop.delete("r-stock.low")
            await shop.delete("r-order.placed")

            deleted = [body for name, body in shop.emulator.asked if "Delete" in name]
            assert len(deleted) == 1
            assert "r-stock.low" in deleted[0]

    soon(steps())


def test_nobody_is_asked_for_messages_on_behalf_of_who_went_away() -> None:
    async def steps() -> None:
        async with post() as shop:
            shop.emulator.is_silent = True
            asking = asyncio.create_task(shop.receive())
            await shop.emulator.heard.wait()
            asking.cancel()

            await shop.emulator.left.wait()

    soon(steps())


@pytest.mark.parametrize(
    ("fault", "told"), [(Fault.KILL_BEFORE, []), (Fault.KILL_AFTER, ["order.placed"])]
)
def test_a_process_dies_before_or_after_the_deed(fault: Fault, told: list[str]) -> None:
    victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    created = psutil.Process(victim.pid).create_time()

    async def steps() -> None:
        async with post(Rule(fault, pid=victim.pid, create_time=created)) as shop:
            with pytest.raises(httpx.TransportError):
                await shop.tell("order.placed")

            assert shop.types_told() == told

    soon(steps())
    assert victim.wait() == -9
    assert victim.stdin is not None
    victim.stdin.close()


@dataclass
class Line:
    """A TCP proxy before a server that says everything back, and its desk."""

    proxy: TcpProxy
    desk: httpx.AsyncClient
    port: int

    async def echo(self) -> bytes:
        """What comes back of four bytes; empty if the line is closed."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        writer.write(b"ping")
        try:
            return await reader.read(4)
        finally:
            writer.close()

    async def spoil(self, kind: str, stream: str = "downstream", **attributes: int) -> None:
        toxic = {"name": "it", "type": kind, "stream": stream, "attributes": attributes}
        (await self.desk.post("/proxies/redis/toxics", json=toxic)).raise_for_status()

    def journal(self) -> list[str]:
        return [entry["what"] for entry in self.proxy.journal.to_json(0)]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def line() -> AsyncIterator[Line]:
    async with listening(echo) as upstream:
        journal, rules = Journal(), Rulebook()
        port = ports.choose({"redis": 0}, {}, ephemeral=True)["redis"]
        proxy = TcpProxy("redis", (HOST, port), (HOST, upstream), journal)
        await proxy.enable()
        messages = MessageProxy((HOST, upstream), rules, journal, visibility_timeout_s=5)
        desk = Desk(messages, {"redis": proxy}, rules, HttpRulebook(), journal)
        async with (
            listening(desk.serve) as desk_port,
            httpx.AsyncClient(base_url=f"http://{HOST}:{desk_port}", timeout=SOON_S) as client,
        ):
            yield Line(proxy, client, port)
        proxy.disable()
        proxy.close()


def test_a_sound_line_passes_everything() -> None:
    async def steps() -> None:
        async with line() as redis:
            assert await redis.echo() == b"ping"
            assert redis.journal() == []

    soon(steps())


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [("limit_data", {"bytes": 0}), ("timeout", {"timeout": 1}), ("reset_peer", {})],
)
def test_a_spoilt_line_answers_nothing_and_is_noted(kind: str, attributes: dict[str, int]) -> None:
    async def steps() -> None:
        async with line() as redis:
            await redis.spoil(kind, **attributes)
            try:
                said = await redis.echo()
            except ConnectionResetError:
                said = b""

            assert said == b""
            assert redis.journal() == [kind]

    soon(steps())


def test_a_late_line_answers_all_the_same() -> None:
    async def steps() -> None:
        async with line() as redis:
            await redis.spoil("latency", latency=1)

            assert await redis.echo() == b"ping"
            assert redis.journal() == ["latency"]

    soon(steps())


def test_a_line_that_is_down_refuses_until_it_is_reset() -> None:
    async def steps() -> None:
        async with line() as redis:
            (await redis.desk.post("/proxies/redis", json={"enabled": False})).raise_for_status()
            with pytest.raises(ConnectionError):
                await redis.echo()

            (await redis.desk.post("/reset")).raise_for_status()

            assert await redis.echo() == b"ping"

    soon(steps())


async def switch(redis: Line, *, enabled: bool) -> dict[str, Any]:
    said = await redis.desk.post("/proxies/redis", json={"enabled": enabled})
    return dict(said.raise_for_status().json())


def test_a_line_that_is_cut_counts_whom_it_cut_off() -> None:
    async def steps() -> None:
        async with line() as redis:
            reader, writer = await asyncio.open_connection(HOST, redis.port)
            writer.write(b"ping")
            await reader.readexactly(4)

            cut = await switch(redis, enabled=False)
            assert await reader.read(4) == b""
            writer.close()
            again = await switch(redis, enabled=False)
            joined = await switch(redis, enabled=True)

            assert (cut["was_enabled"], again["was_enabled"], joined["cut"]) == (True, False, 1)
            assert redis.journal() == ["down"]

    soon(steps())


def test_a_line_that_nobody_used_is_down_for_the_first_who_comes_and_says_so_then() -> None:
    async def steps() -> None:
        async with line() as redis:
            await switch(redis, enabled=False)
            assert redis.journal() == []
            with pytest.raises(ConnectionResetError):
                await redis.echo()
            with pytest.raises(ConnectionRefusedError):
                await redis.echo()

            assert redis.journal() == ["down"]
            assert (await switch(redis, enabled=True))["cut"] == 1
            assert await redis.echo() == b"ping"

    soon(steps())


def test_a_line_that_was_down_while_nobody_came_has_not_been_noticed() -> None:
    async def steps() -> None:
        async with line() as redis:
            await switch(redis, enabled=False)

            assert (await switch(redis, enabled=True))["cut"] == 0
            assert redis.journal() == []
            assert await redis.echo() == b"ping"

    soon(steps())


def test_a_removed_toxic_lets_go_whom_it_held() -> None:
    async def steps() -> None:
        async with line() as redis:
            await redis.spoil("timeout", "upstream", timeout=0)
            asking = asyncio.create_task(redis.echo())
            await until(lambda: redis.journal() == ["timeout"])
            (await redis.desk.delete("/proxies/redis/toxics/it")).raise_for_status()

            assert await asking == b""
            assert await redis.echo() == b"ping"

    soon(steps())


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/proxies", None, 200),
        ("GET", "/nothing", None, 404),
        ("POST", "/proxies/unknown", {"enabled": True}, 404),
        ("POST", "/proxies/redis", {"upstream": True}, 400),
        ("POST", "/proxies/redis/toxics", {"name": "x", "type": "explosion"}, 400),
        ("DELETE", "/proxies/redis/toxics/none", None, 404),
        ("POST", "/rules", {"fault": "drop", "typo": 1}, 400),
        ("GET", "/journal?after=x", None, 400),
        ("GET", "/journal", None, 200),
    ],
)
def test_the_desk_says_what_it_cannot_do(
    method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    async def steps() -> None:
        async with line() as redis:
            said = await redis.desk.request(method, path, json=body)

            assert said.status_code == status
            assert ("error" in said.json()) is (status != 200)

    soon(steps())
