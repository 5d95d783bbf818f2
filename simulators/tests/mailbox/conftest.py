"""A mailbox to write to: its parts in this process, or the whole as a real process."""

import os
import re
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from simulators.mailbox.book import Book

TIMEOUT_S = 15  # A start takes half a second alone, and longer beside other tests.


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    opened = Book(tmp_path)
    yield opened
    opened.close()


@dataclass(frozen=True)
class Running:
    """A mailbox that runs as a process of its own."""

    process: subprocess.Popen[str]
    client: httpx.Client
    smtp_port: int
    http_port: int

    def connect(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=TIMEOUT_S)

    def send(self, message_id: str, order_id: str = "ORDER-1") -> None:
        with self.connect() as sender:
            sender.send_message(confirmation(message_id, order_id))

    def message_ids(self) -> list[str]:
        listed = self.client.get("/messages", params={"limit": 1000}).json()["messages"]
        return [message["message_id"] for message in listed]


def confirmation(message_id: str, order_id: str = "ORDER-1") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "shop@cartwright.test"
    message["To"] = "ada@customer.test"
    message["Subject"] = "Your order is confirmed"
    message["Message-ID"] = message_id
    message["X-Order-Id"] = order_id
    message["X-Message-Kind"] = "order.confirmed"
    message.set_content("Thank you.\n")
    return message


@contextmanager
def running(data_dir: Path, *, smtp_port: int = 0, http_port: int = 0) -> Iterator[Running]:
    """Start the mailbox and end it again, by force if the test did not end it already."""
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators.mailbox", "--smtp-port", str(smtp_port),
         "--http-port", str(http_port), "--data-dir", str(data_dir)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )  # fmt: skip
    assert process.stdout is not None
    with process, process.stdout:
        try:
            smtp, http = map(int, re.findall(r":(\d+)", process.stdout.readline()))
            with httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=TIMEOUT_S) as client:
                yield Running(process, client, smtp, http)
        finally:
            process.kill()


@pytest.fixture(name="running")
def running_fixture() -> object:
    """`running(data_dir)` for tests, which cannot import a conftest."""
    return running


@pytest.fixture(name="confirmation")
def confirmation_fixture() -> object:
    return confirmation
