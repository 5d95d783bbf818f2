"""A provider to talk to: in this process for most tests, as a real process where that matters."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask
from pydantic import SecretStr
from simulators.payment_provider.clock import now_ms
from simulators.payment_provider.http import requests
from simulators.payment_provider.http.app import create_app
from simulators.payment_provider.sender import Sender
from simulators.payment_provider.settings import Settings
from simulators.payment_provider.storage.book import Book
from werkzeug.test import TestResponse

API_KEY = {"Authorization": "Bearer sk_test_cartwright"}
WEBHOOK_URL = "http://shop.example/webhooks/payment-provider"
SETTINGS = Settings(
    slow_ms=0,
    public_url="http://bank.example",
    return_origins="https://shop.example",
    webhook_url=WEBHOOK_URL,
    webhook_secret=SecretStr("a secret for tests"),
)
TIMEOUT_S = 15  # A start takes one second alone, and longer beside other tests.


@dataclass(frozen=True)
class Shop:
    """Calls the provider as the shop does, always with a key."""

    app: Flask

    def post(self, path: str, key: str, body: object = None) -> TestResponse:
        headers = {**API_KEY, "Idempotency-Key": key}
        return self.app.test_client().post(path, json=body, headers=headers)

    def over(self, book: Book) -> "Shop":
        """The same shop, whose provider keeps another book."""
        return Shop(create_app(SETTINGS, book, threading.Event()))

    def get(self, path: str) -> TestResponse:
        return self.app.test_client().get(path, headers=API_KEY)

    def pay(self, key: str = "key-1", /, **changes: object) -> TestResponse:
        return self.post("/v1/payments", key, charge(**changes))

    def authorized(self, key: str = "key-1", /, **changes: object) -> str:
        """The id of a new payment of 19.00 EUR for ORDER-1."""
        payment_id: str = self.pay(key, **changes).get_json()["id"]
        return payment_id

    def book(self, path: str) -> Any:
        return self.app.test_client().get(f"/book/{path}").get_json()


def charge(**changes: object) -> dict[str, object]:
    usual = {"amount_minor": 1900, "currency": "EUR"}
    return {**usual, "payment_method": "pm_ok", "reference": "ORDER-1", **changes}


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    opened = Book(tmp_path)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Built once: its routes and pages take longer than most tests, and keep nothing of a test."""
    unused = Book(tmp_path_factory.mktemp("unused"))
    yield create_app(SETTINGS, unused, threading.Event())
    unused.close()


@pytest.fixture
def shop(app: Flask, book: Book) -> Shop:
    requests.install(app, requests.Provider(SETTINGS, book, threading.Event(), lambda: None))
    return Shop(app)


@dataclass
class Clock:
    """Goes only when it is told to."""

    now_ms: int

    def __call__(self) -> int:
        return self.now_ms


@dataclass
class Receiver:
    """The shop's side of webhooks: what came, and what it is answered, one status after another."""

    requests: list[httpx.Request] = field(default_factory=list)
    answers: list[int | Exception] = field(default_factory=list)  # 200 when there is none left

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        headers = {"Location": "http://evil.example/"}
        return httpx.Response(answer, headers=headers, stream=httpx.ByteStream(b"thank you"))

    @property
    def events(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]

    @property
    def types(self) -> list[str]:
        return [event["type"].removeprefix("payment.") for event in self.events]


@dataclass
class Post:
    """Sends webhooks of a book when it is told to, by a clock that a test moves."""

    sender: Sender
    clock: Clock
    receiver: Receiver

    def deliver(self, *, after_ms: int = 0) -> list[str]:
        """Everything that is due, now or after so long; the types of what has come by then."""
        if after_ms:
            self.clock.now_ms += after_ms
        else:
            self.clock.now_ms = max(self.clock.now_ms, now_ms())
        while self.sender.deliver_next():
            pass
        return self.receiver.types


@pytest.fixture
def post(book: Book) -> Post:
    clock, receiver = Clock(now_ms()), Receiver()
    client = httpx.Client(transport=httpx.MockTransport(receiver))
    return Post(Sender(book, SETTINGS, client=client, now_ms=clock), clock, receiver)


@dataclass(frozen=True)
class Running:
    """A provider that runs as a process of its own."""

    process: subprocess.Popen[str]
    client: httpx.Client
    port: int

    def pay(self, key: str, **changes: object) -> httpx.Response:
        headers = {"Idempotency-Key": key}
        return self.client.post("/v1/payments", json=charge(**changes), headers=headers)


@contextmanager
def running(
    data_dir: Path, *, port: int = 0, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Start the provider and end it again, by force if the test did not end it already."""
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators.payment_provider", "--port", str(port),
         "--data-dir", str(data_dir)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    assert process.stdout is not None
    with process, process.stdout:
        url = process.stdout.readline().split()[-1]
        try:
            with httpx.Client(base_url=url, headers=API_KEY, timeout=TIMEOUT_S) as client:
                client.get("/healthz").raise_for_status()
                yield Running(process, client, int(url.rsplit(":", 1)[1]))
        finally:
            process.kill()


@pytest.fixture(name="running")
def running_fixture() -> object:
    """`running(data_dir)` for tests, which cannot import a conftest."""
    return running
