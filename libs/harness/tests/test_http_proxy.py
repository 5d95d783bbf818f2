"""The proxy before a service on real sockets, and the desk that gives it its rules."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import h11
import httpx
import pytest
from harness.faults.http_proxy import HttpProxy
from harness.faults.http_rules import HttpFault, HttpRule, HttpRulebook
from harness.faults.http_wire import Wire, answer
from harness.faults.journal import Journal
from harness.faults.message_proxy import MessageProxy
from harness.faults.rules import Rulebook
from harness.faults.server import Desk
from harness.process import ports
from sockets_for_tests import HOST, SOON_S, listening, soon, until

pytestmark = pytest.mark.slow

TRACE_ID = "ab" * 16
TRACED = {"traceparent": f"00-{TRACE_ID}-{'cd' * 8}-01"}
ORDERED = b'{"id":"o-1"}'
# More than any buffer on the way holds.
LARGE = b"x" * 3_000_000


@dataclass
class Service:
    """Remembers what it was asked; says its stream's second half when it is told to."""

    asked: list[tuple[str, bytes]] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    connections: int = 0
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        wire = Wire(reader, writer, h11.SERVER)
        try:
            while (request := await wire.receive()) is not None:
                assert isinstance(request.head, h11.Request)
                target = request.head.target.decode()
                self.asked.append((f"{request.head.method.decode()} {target}", request.body))
                self.hosts.append(request.header(b"host"))
                if target.endswith("/events"):
                    await self._stream(writer)
                    break
                await wire.send(
                    answer(201, "application/json", LARGE if target == "/large" else ORDERED)
                )
                if not wire.next_cycle():
                    break
        except ConnectionError:
            pass  # The answer was lost, as it was to be.
        except h11.RemoteProtocolError:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        finally:
            self.left.set()
            writer.close()

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        writer.write(head + b"data: pending\n\n")
        await self.go_on.wait()
        writer.write(b"data: confirmed\n\n")


@dataclass
class Edge:
    """A proxy before a service, its desk, and a client of both."""

    service: Service
    journal: Journal
    port: int
    client: httpx.AsyncClient
    desk: httpx.AsyncClient

    async def order(self, **more: Any) -> httpx.Response:
        return await self.client.post("/orders", content=b"{}", headers=TRACED, **more)

    def noted(self) -> list[tuple[str, str]]:
        return [(entry["what"], entry["operation"]) for entry in self.journal.to_json(0)]


@asynccontextmanager
async def edge(*wanted: HttpRule, upstream: int = 0) -> AsyncIterator[Edge]:
    """upstream: of another service than one of ours, or of none."""
    service, journal, rules = Service(), Journal(), HttpRulebook()
    for rule in wanted:
        rules.add(rule)
    messages = MessageProxy((HOST, 1), Rulebook(), journal, visibility_timeout_s=5)
    desk = Desk(messages, {}, Rulebook(), rules, journal)
    async with listening(service.serve) as own, listening(desk.serve) as desk_port:
        proxy = HttpProxy("order", (HOST, upstream or own), rules, journal)
        async with (
            listening(proxy.serve) as port,
            httpx.AsyncClient(base_url=f"http://{HOST}:{port}", timeout=SOON_S) as client,
            httpx.AsyncClient(base_url=f"http://{HOST}:{desk_port}", timeout=SOON_S) as orders,
        ):
            yield Edge(service, journal, port, client, orders)


def rule(fault: HttpFault, method: str = "POST", path: str = "/orders", **more: Any) -> HttpRule:
    return HttpRule(fault, "order", method, path, **more)


def test_what_no_rule_fits_arrives_as_it_was_sent_on_one_connection() -> None:
    async def steps() -> None:
        elsewhere = HttpRule(HttpFault.RESET, "cart", "POST", "/orders")
        async with edge(elsewhere, rule(HttpFault.RESET, "GET"), rule(HttpFault.RESET)) as shop:
            headers = {"Host": "shop.example"}
            said = await shop.client.post("/orders/o-1?x=1", content=b"abc", headers=headers)
            await shop.client.put("/cart", content=b"")

            assert (said.status_code, said.content) == (201, ORDERED)
            assert shop.service.asked == [("POST /orders/o-1?x=1", b"abc"), ("PUT /cart", b"")]
            assert shop.service.hosts[0] == "shop.example"
            assert shop.service.connections == 1
            assert shop.noted() == []

    soon(steps())


@pytest.mark.parametrize(
    ("fault", "status", "type_"),
    [
        (HttpFault.UNAVAILABLE, 503, "/problems/unavailable"),
        (HttpFault.TOO_MANY, 429, "about:blank"),
    ],
)
def test_a_refusal_is_the_services_own_as_often_as_it_says_and_nothing_is_done(
    fault: HttpFault, status: int, type_: str
) -> None:
    async def steps() -> None:
        async with edge(rule(fault, times=2)) as shop:
            said = [await shop.order() for _ in range(3)]

            assert [one.status_code for one in said] == [status, status, 201]
            assert said[0].headers["content-type"] == "application/problem+json"
            assert said[0].headers["retry-after"] == "1"
            assert (said[0].json()["type"], said[0].json()["status"]) == (type_, status)
            assert shop.service.asked == [("POST /orders", b"{}")]
            assert shop.noted() == [(fault, "POST /orders")] * 2

    soon(steps())


@pytest.mark.parametrize(("fault", "done"), [(HttpFault.LOSE_ANSWER, 1), (HttpFault.RESET, 0)])
def test_the_connection_ends_after_the_deed_or_before_it(fault: HttpFault, done: int) -> None:
    async def steps() -> None:
        async with edge(rule(fault)) as shop:
            with pytest.raises(httpx.TransportError):
                await shop.order()

            assert len(shop.service.asked) == done
            assert shop.noted() == [(fault, "POST /orders")]
            assert (await shop.order()).status_code == 201

    soon(steps())


def test_what_is_late_is_done_at_once_and_answered_whole() -> None:
    async def steps() -> None:
        async with edge(rule(HttpFault.DELAY, delay_s=0.01)) as shop:
            said = await shop.order()

            assert said.content == ORDERED
            assert shop.noted() == [(HttpFault.DELAY, "POST /orders")]

    soon(steps())


def test_who_does_not_wait_for_what_is_late_has_met_it() -> None:
    async def steps() -> None:
        async with edge(rule(HttpFault.DELAY, delay_s=20.0)) as shop:
            asking = asyncio.create_task(shop.order())
            await until(lambda: bool(shop.noted()))
            asking.cancel()

            await shop.service.left.wait()
            assert shop.noted() == [(HttpFault.DELAY, "POST /orders")]

    soon(steps())


def test_the_second_request_on_a_connection_is_looked_at_too() -> None:
    async def steps() -> None:
        async with edge(rule(HttpFault.LOSE_ANSWER, "GET", "/orders/.*")) as shop:
            await shop.order()
            with pytest.raises(httpx.TransportError):
                await shop.client.get("/orders/o-1", headers=TRACED)

            (entry,) = shop.journal.to_json(0)
            assert [message["subject"] for message in entry["messages"]] == ["o-1"]
            assert (entry["place"], entry["trace_id"]) == ("order", TRACE_ID)

    soon(steps())


def test_a_stream_comes_as_it_is_said() -> None:
    async def steps() -> None:
        async with (
            edge() as shop,
            shop.client.stream("GET", "/orders/o-1/events") as stream,
        ):
            lines = stream.aiter_lines()
            assert await anext(lines) == "data: pending"
            shop.service.go_on.set()
            assert [line async for line in lines if line] == ["data: confirmed"]

    soon(steps())


def test_large_bodies_pass_both_ways_and_one_without_a_length() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    async def steps() -> None:
        async with edge() as shop:
            said = await shop.client.post("/large", content=LARGE)
            await shop.client.post("/parts", content=parts())

            assert said.content == LARGE
            assert shop.service.asked == [("POST /large", LARGE), ("POST /parts", b"ab")]

    soon(steps())


def test_a_service_that_is_away_is_unavailable_and_that_is_no_fault_of_ours() -> None:
    async def steps() -> None:
        nobody = ports.choose({"nobody": 0}, {}, ephemeral=True)["nobody"]
        async with edge(rule(HttpFault.LOSE_ANSWER), upstream=nobody) as shop:
            assert (await shop.order()).status_code == 503
            assert shop.noted() == []
            left = (await shop.desk.get("/http-rules")).json()["rules"]
            assert [one["fault"] for one in left] == ["lose_answer"]

    soon(steps())


def test_who_leaves_takes_the_connection_to_the_service_along() -> None:
    async def steps() -> None:
        async with edge() as shop:
            await shop.order()
            await shop.client.aclose()

            await shop.service.left.wait()

    soon(steps())


def test_the_service_itself_answers_what_is_no_request() -> None:
    async def steps() -> None:
        async with edge() as shop:
            reader, writer = await asyncio.open_connection(HOST, shop.port)
            writer.write(b"GET /orders HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n")

            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
            writer.close()

    soon(steps())


def test_the_desk_takes_rules_lists_what_is_left_of_them_and_forgets_them() -> None:
    async def steps() -> None:
        async with edge() as shop:
            wanted = {"fault": "unavailable", "place": "order", "method": "POST", "path": "/orders"}
            told = await shop.desk.post("/http-rules", json=wanted | {"times": 3})
            await shop.order()
            left = (await shop.desk.get("/http-rules")).json()["rules"]
            await shop.desk.post("/reset")

            assert told.status_code == 200
            assert [(one["fault"], one["times"]) for one in left] == [("unavailable", 2)]
            assert (await shop.order()).status_code == 201
            refused = await shop.desk.post("/http-rules", json=wanted | {"path": "("})
            assert refused.status_code == 400

    soon(steps())
