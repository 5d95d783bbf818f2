"""A provider to talk to: in this process for most tests, as a real process where that matters."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask
from simulators.payment_provider.app import create_app
from simulators.payment_provider.book import Book
from simulators.payment_provider.settings import Settings
from werkzeug.test import TestResponse

API_KEY = {"Authorization": "Bearer sk_test_cartwright"}
TIMEOUT_S = 15  # A start takes one second alone, and longer beside other tests.


@dataclass(frozen=True)
class Shop:
    """Calls the provider as the shop does, always with a key."""

    app: Flask

    def post(self, path: str, key: str, body: object = None) -> TestResponse:
        headers = {**API_KEY, "Idempotency-Key": key}
        return self.app.test_client().post(path, json=body, headers=headers)

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


@pytest.fixture
def shop(book: Book) -> Shop:
    return Shop(create_app(Settings(slow_ms=0), book, threading.Event()))


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
