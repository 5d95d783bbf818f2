"""Streams behind the server that we run: told at once, given up, cut off, and never in the way."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from common.auth import Role
from common.db import Database
from common.testing import JWT_SECRET, bearer, deliver, promised
from common.testing.servers import wait_until_it_listens
from harness.eventually import eventually
from order.domain import OrderLine
from order.use_cases import orders as use_cases
from order.use_cases.orders import Placement
from order.worker import HANDLERS

# Tells, besides, how many places for streams are free.
APPLICATION = """
from order import routes
from order.routes import streams
streams.POLL_S, streams.HEARTBEAT_S, streams.LIFE_S = 0.02, {heartbeat_s}, {life_s}
places = streams.Streams()
routes.Streams = lambda: places
from order.app import create_app
app = create_app()
app.get("/free")(lambda: str(places._free._value))
"""
Seen = tuple[str, int, dict[str, Any]]
HEADERS = bearer(Role.GUEST, "ana")
THREADS = 8
GUNICORN = (sys.executable, "-m", "gunicorn", "-c", "python:common.gunicorn_config")
PATIENCE_S = 20


class Answer:
    """One request on a connection of its own, as a page that watches has."""

    def __init__(self, port: int, method: str, path: str, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self._connection.request(method, path, headers=headers)
        self._response = self._connection.getresponse()
        self.status = self._response.status
        self.headers = self._response.headers

    def next_event(self) -> Seen | None:
        """The next one with data; None at the end of the stream. Comments are passed over."""
        fields: dict[str, str] = {}
        while line := self._response.readline().decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "data" in fields:
                return fields["event"], int(fields["id"]), json.loads(fields["data"])
        return None

    def events(self) -> list[Seen]:
        """All there are until the stream ends."""
        return list(iter(self.next_event, None))

    def numbers(self) -> list[int]:
        return [number for _, number, _ in self.events()]

    def text(self) -> str:
        return self._response.read().decode()

    def leave(self) -> None:
        self._response.close()
        self._connection.close()


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int
    asked: list[Answer] = field(default_factory=list)

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.asked.append(Answer(self.port, method, path, HEADERS | named))
        return self.asked[-1]

    def watch(self, order_id: str, **headers: str) -> Answer:
        return self.ask(f"/orders/{order_id}/events", **headers)

    def leave(self) -> None:
        while self.asked:
            self.asked.pop().leave()

    def stop(self) -> None:
        self.leave()
        self.process.terminate()
        self.process.wait(PATIENCE_S)


def start(
    folder: Path, database_url: str, *, heartbeat_s: float = 15, life_s: float = 300
) -> Server:
    source = APPLICATION.format(heartbeat_s=heartbeat_s, life_s=life_s)
    (folder / "watched_app.py").write_text(source)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*GUNICORN, "watched_app:app"],
        cwd=folder,
        env={
            "PORT": str(port), "WEB_THREADS": str(THREADS), "DRAIN_S": "0", "PATH": "",
            "DATABASE_URL": database_url, "JWT_SECRET": JWT_SECRET, "CATALOG_URL": "http://catalog",
        },
    )  # fmt: skip
    wait_until_it_listens(process, port)
    return Server(process, port)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Server]:
    started = start(tmp_path_factory.mktemp("watched"), database_url)
    yield started
    started.stop()


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    yield running
    running.leave()
    # Else the next test could find those places still taken.
    eventually(lambda: running.ask("/free").text() == "4", PATIENCE_S, "all places to be free")
    running.leave()


@pytest.fixture
def order_id(db: Database) -> str:
    line = OrderLine("MUG-1", "Mug", 1, 250)
    placement = Placement("ana", "ana@shoppers.example", "USD", "pm_ok", (line,))
    with db.transaction() as tx:
        return use_cases.place_order(tx, placement, datetime.now(UTC)).order.id


def tell(db: Database, order_id: str, *event_types: str) -> None:
    for event_type in event_types:
        event = promised(event_type, order_id, {"order_id": order_id})
        assert deliver(db, HANDLERS, event).dead == []


def settle(db: Database, order_id: str) -> None:
    tell(db, order_id, "payment.authorized", "stock.committed", "payment.captured")


def test_each_change_is_told_when_it_happens_and_the_last_ends_the_stream(
    server: Server, db: Database, order_id: str
) -> None:
    stream = server.watch(order_id)

    present = stream.next_event()
    tell(db, order_id, "stock.reserved")
    reserved = stream.next_event()
    settle(db, order_id)
    rest = stream.events()

    assert stream.headers["Transfer-Encoding"] == "chunked"
    assert present is not None
    assert (present[:2], present[2]["status"]) == (("order", 1), "pending")
    assert reserved is not None
    assert (reserved[:2], reserved[2]["event"]) == (("status", 2), "stock.reserved")
    assert [(number, data["status"], data["settled"]) for _, number, data in rest] == [
        (3, "confirmed", False), (4, "confirmed", False), (5, "confirmed", True),
    ]  # fmt: skip


def test_a_stream_that_broke_goes_on_where_it_was_without_gap_or_repeat(
    server: Server, db: Database, order_id: str
) -> None:
    seen: list[int] = []
    for event_type in ("stock.reserved", "payment.authorized", "stock.committed"):
        last = {"Last_Event_ID": str(seen[-1])} if seen else {}
        stream = server.watch(order_id, **last)
        if not seen:
            first = stream.next_event()
            assert first is not None
            seen.append(first[1])
        tell(db, order_id, event_type)
        change = stream.next_event()
        assert change is not None
        seen.append(change[1])
        stream.leave()
    tell(db, order_id, "payment.captured")

    seen += server.watch(order_id, Last_Event_ID=str(seen[-1])).numbers()

    assert seen == [1, 2, 3, 4, 5]
    assert server.watch(order_id, Last_Event_ID="5").status == 204


def test_four_watch_and_the_fifth_and_everybody_else_is_answered_at_once(
    server: Server, db: Database, order_id: str
) -> None:
    streams = [server.watch(order_id) for _ in range(4)]

    refused = server.watch(order_id)
    reads = [server.ask(f"/orders/{order_id}").status for _ in range(2 * THREADS)]

    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    assert json.loads(refused.text())["type"] == "/problems/too-many-streams"
    assert set(reads) == {200}
    settle(db, order_id)
    assert [stream.numbers()[-1] for stream in streams] == [4] * 4
    assert watchable(server, order_id)


def test_those_who_close_their_page_make_room_for_others(server: Server, order_id: str) -> None:
    for stream in [server.watch(order_id) for _ in range(4)]:
        stream.leave()

    assert watchable(server, order_id)


def watchable(server: Server, order_id: str) -> bool:
    """Whether there is room again, within the time of some looks."""
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        response = server.watch(order_id)
        response.leave()
        if response.status == 200:
            return True
    return False


def test_asking_for_the_headers_alone_holds_no_place(server: Server, order_id: str) -> None:
    path = f"/orders/{order_id}/events"

    statuses = [server.ask(path, "HEAD").status for _ in range(8)]

    assert statuses == [200] * 8


def test_a_short_deadline_is_for_the_beginning_and_does_not_cut_the_stream(
    server: Server, db: Database, order_id: str
) -> None:
    over_at = time.monotonic() + 2.1
    stream = server.watch(order_id, X_Request_Deadline="2000")
    stream.next_event()
    while time.monotonic() < over_at:
        server.ask(f"/orders/{order_id}").leave()

    settle(db, order_id)

    assert stream.numbers() == [2, 3, 4]
    assert server.watch(order_id, X_Request_Deadline="10").status == 503


def test_silence_is_broken_and_no_stream_outlives_its_time(
    tmp_path: Path, database_url: str, db: Database, order_id: str
) -> None:
    server = start(tmp_path, database_url, heartbeat_s=0.1, life_s=2)

    try:
        said = server.watch(order_id).text()
    finally:
        server.stop()

    assert said.startswith("retry: 1000\n\nevent: order\nid: 1\ndata: {")
    assert 2 <= said.count(": still here\n\n") <= 20


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_process_that_stops_ends_its_streams_promptly(
    tmp_path: Path, database_url: str, db: Database, order_id: str, number: signal.Signals
) -> None:
    server = start(tmp_path, database_url)
    streams = [server.watch(order_id) for _ in range(4)]
    for stream in streams:
        stream.next_event()

    os.kill(server.process.pid, number)
    rest = [stream.numbers() for stream in streams]

    assert rest == [[]] * 4  # Ended, and not torn when the process has waited for long enough.
    assert server.process.wait(PATIENCE_S) == 0
    server.leave()
