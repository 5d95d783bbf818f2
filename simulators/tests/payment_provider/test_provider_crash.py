"""Whatever dies, at whatever step: the book has all of a request or nothing, and tells it all."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, cast

import httpx
import pytest
from simulators.payment_provider import clock
from simulators.payment_provider.rules.payments import Charge
from simulators.payment_provider.sender import Sender
from simulators.payment_provider.settings import Settings
from simulators.payment_provider.storage import challenges, operations
from simulators.payment_provider.storage.book import Book
from simulators.payment_provider.storage.challenges import Decision
from simulators.payment_provider.storage.facts import Asked
from simulators.payment_provider.storage.operations import Operation

pytestmark = pytest.mark.slow

TABLES = ("log", "payments", "refunds", "challenges", "answers", "webhooks", "deliveries")
WITHIN_S = 15  # A webhook takes milliseconds; a machine under load takes its time.
SECRET = {"PAYMENT_PROVIDER_WEBHOOK_SECRET": "a secret for tests"}
ASKED = Asked(
    Settings(webhook_url="http://shop.example", webhook_secret="a secret for tests"),
    clock.now_ms(),
    base_url="http://bank.example",
)


class Died(Exception):
    """In place of the process."""


class Dying:
    """A connection that dies before its `steps`th statement."""

    def __init__(self, connection: sqlite3.Connection, steps: int) -> None:
        self._connection, self._steps = connection, steps

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        self._step()
        return self._connection.execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        self._step()
        return self._connection.executemany(*arguments)

    def _step(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise Died


def contents(book: Book) -> dict[str, list[tuple[Any, ...]]]:
    with book.reading() as tx:
        return {table: list(map(tuple, tx.execute(f"SELECT * FROM {table}"))) for table in TABLES}


def perform(book: Book, key: str, operation: Operation) -> str:
    """The id of the payment it is about."""
    with book.transaction() as tx:
        outcome = operations.once(tx, key, key, operation)
    assert outcome.answer.status == 200
    return str(outcome.payment_id)


def authorize(token: str) -> Operation:
    charge = Charge(1900, "EUR", token, "ORDER-1")
    return lambda tx: operations.authorize(tx, ASKED, charge)


def decide(tx: sqlite3.Connection, payment_id: str) -> operations.Outcome:
    challenges.decide(tx, ASKED, challenges.find(tx, payment_id), Decision.APPROVE)
    return operations.Outcome(operations.json_answer({}), payment_id)


MOVES: dict[str, tuple[str, Callable[[str], Operation]]] = {
    "authorize": ("pm_ok", lambda _: authorize("pm_ok")),
    "decline": ("pm_ok", lambda _: authorize("pm_declined")),
    "challenge": ("pm_ok", lambda _: authorize("pm_3ds_required")),
    "decide": ("pm_3ds_required", lambda made: lambda tx: decide(tx, made)),
    "capture": ("pm_ok", lambda made: lambda tx: operations.capture(tx, ASKED, made, 1500)),
    "void": ("pm_webhook_twice", lambda made: lambda tx: operations.void(tx, ASKED, made)),
    "refund": ("pm_ok", lambda made: lambda tx: operations.refund(tx, ASKED, made, 500, "RET-1")),
}


@pytest.mark.parametrize("move", MOVES)
def test_a_death_between_any_two_steps_leaves_nothing(book: Book, move: str) -> None:
    token, operation_on = MOVES[move]
    payment_id = perform(book, "before", authorize(token))
    if move == "refund":
        perform(book, "capture", MOVES["capture"][1](payment_id))
    before, steps = contents(book), 0

    while True:
        try:
            with book.transaction() as tx:
                dying = cast("sqlite3.Connection", Dying(tx, steps))
                operations.once(dying, "key-1", "key-1", operation_on(payment_id))
            break
        except Died:
            assert contents(book) == before
            steps += 1

    after = contents(book)
    assert steps > 5
    assert len(after["answers"]) == len(before["answers"]) + 1
    assert len(after["webhooks"]) == len(before["webhooks"]) + 1
    assert len(after["log"]) == len(before["log"]) + 1


def test_a_death_between_sending_and_writing_it_down_sends_again(book: Book, post: Any) -> None:
    perform(book, "key-1", authorize("pm_ok"))

    class Death(BaseException):
        """Nothing in the sender may catch it."""

    def die(_: httpx.Request) -> httpx.Response:
        raise Death

    dying = httpx.Client(transport=httpx.MockTransport(die))
    with pytest.raises(Death):
        Sender(book, ASKED.settings, client=dying).deliver_next()

    assert post.deliver() == ["authorized"]


def test_no_webhook_is_lost_when_it_is_killed_before_it_was_sent(
    running: Any, tmp_path: Path
) -> None:
    with receiver() as (url, received):
        nobody = {**SECRET, "PAYMENT_PROVIDER_WEBHOOK_URL": "http://127.0.0.1:9/"}
        with running(tmp_path, environment=nobody) as provider:
            ids = [provider.pay(f"key-{n}", reference=f"ORDER-{n}").json()["id"] for n in range(10)]
            provider.process.kill()
            provider.process.wait()

        somebody = {**SECRET, "PAYMENT_PROVIDER_WEBHOOK_URL": url}
        with running(tmp_path, environment=somebody):
            told = [received.get(timeout=WITHIN_S) for _ in ids]

    assert {event["data"]["payment"]["id"] for event in told} == set(ids)
    assert {event["type"] for event in told} == {"payment.authorized"}


def test_whatever_it_was_doing_when_it_was_killed_the_book_adds_up(
    running: Any, tmp_path: Path
) -> None:
    acknowledged: dict[str, Any] = {}

    def shop(provider: Any, number: int) -> None:
        key = {"Idempotency-Key": f"capture-{number}"}
        with suppress(httpx.TransportError):
            made = provider.pay(f"key-{number}", reference=f"ORDER-{number}")
            acknowledged[f"key-{number}"] = made.json()
            path = f"/v1/payments/{made.json()['id']}/capture"
            taken = provider.client.post(path, json={"amount_minor": 1900}, headers=key)
            acknowledged[f"capture-{number}"] = taken.json()

    with receiver() as (url, received):
        environment = {**SECRET, "PAYMENT_PROVIDER_WEBHOOK_URL": url}
        with running(tmp_path, environment=environment) as provider:
            with ThreadPoolExecutor(4) as threads:
                shops = [threads.submit(shop, provider, number) for number in range(200)]
                for _ in range(20):  # Four shops at once, so some were acknowledged by now.
                    received.get(timeout=WITHIN_S)
                provider.process.kill()
                for finished in shops:
                    finished.result()
            provider.process.wait()

        with running(tmp_path, environment=environment) as provider:
            kept = {
                key: provider.client.get(f"/v1/operations/{key}").json()["body"]
                for key in acknowledged
            }
            webhooks = every(provider, "webhooks")
            facts, payments = every(provider, "facts"), every(provider, "payments")

    assert 0 < len(acknowledged) < 400
    assert kept == acknowledged
    assert all(payment["status"] in {"authorized", "captured"} for payment in payments)
    assert (
        len(facts)
        == len(webhooks)
        == sum(2 if payment["status"] == "captured" else 1 for payment in payments)
    )


def every(provider: Any, name: str) -> list[Any]:
    return list(provider.client.get(f"/book/{name}?limit=1000").json()[name])


@contextmanager
def receiver() -> Iterator[tuple[str, "SimpleQueue[Any]"]]:
    """An address for webhooks and what came there."""
    received: SimpleQueue[Any] = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            received.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", received
        finally:
            server.shutdown()
            serving.join()
