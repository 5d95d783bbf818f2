from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as default_policy
from socket import create_server
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from common.db import Database
from common.events import Event
from common.ids import new_id
from common.testing import JWT_SECRET, deliver, fixtures
from flask import Flask
from flask.testing import FlaskClient
from notification import clients
from notification.app import create_app
from notification.clients import Mailer
from notification.domain.messages import Message, Wanted
from notification.settings import Settings
from notification.store import messages as store
from notification.use_cases import mail_delivery
from notification.worker import HANDLERS, send_due
from pydantic import SecretStr
from sqlalchemy import text

ADA = "ada@customer.example"


class FakeMailServer:
    """Takes mails by SMTP and keeps them, or answers as it is told.

    replies: what it says to the next mails instead of taking them.
    refusal: what it says to RCPT for *refused_recipients*.
    on_mail: called while a mail is being delivered.
    knows_utf8: whether it takes addresses outside ASCII (RFC 6531), from its next start.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.replies: list[str] = []
        self.refused_recipients: set[str] = set()
        self.refusal = "550 5.1.1 No such user"
        self.connections = 0
        self.knows_utf8 = True
        self.on_mail: Callable[[], object] = lambda: None
        with create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            enable_SMTPUTF8=self.knows_utf8,
            ready_timeout=60,  # Else it gives up after five seconds, however busy the machine is.
        )
        self._controller.start()
        self.connections = 0  # The controller tries itself out.

    def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._controller:
            self._controller.stop()
            self._controller = None

    async def handle_EHLO(  # noqa: N802  aiosmtpd calls it by this name.
        self, _: SMTP, session: Session, __: Envelope, host: str, replies: list[str]
    ) -> list[str]:
        session.host_name = host
        self.connections += 1
        return replies

    async def handle_RCPT(  # noqa: N802  aiosmtpd calls it by this name.
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        if address in self.refused_recipients:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  aiosmtpd calls it by this name.
        self, _: SMTP, __: Session, envelope: Envelope
    ) -> str:
        self.on_mail()
        if self.replies:
            return self.replies.pop(0)
        assert isinstance(envelope.content, bytes)
        parser = BytesParser(policy=default_policy)
        mail = parser.parsebytes(envelope.content.replace(b"\r\n", b"\n"))
        mail["X-Envelope"] = f"{envelope.mail_from} -> {', '.join(envelope.rcpt_tos)}"
        self.mails.append(mail)
        return "250 OK"


class News:
    """The events that we hear, as their producers write them; *changes* to their data."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def heard(self, *events: Event) -> None:
        deliver(self._db, HANDLERS, *events)

    def heard_unpromised(self, *events: Event) -> None:
        """What no producer of ours tells, and some version of one might."""
        deliver(self._db, HANDLERS, *(event.to_json("test") for event in events))

    def messages(self) -> list[Message]:
        """All there are, oldest first."""
        with self._db.transaction() as tx:
            listed = store.page(tx, Wanted(), None, 1000)
            found = [store.find(tx, message.id) for message in reversed(listed)]
        return [message for message in found if message]

    def message(self) -> Message:
        (only,) = self.messages()
        return only

    def registered(self, **changes: Any) -> Event:
        data = {"customer_id": new_id(), "email": ADA, "name": "Ada"} | changes
        return Event("customer.registered", data["customer_id"], data)

    def confirmed(self, order_id: str | None = None, **changes: Any) -> Event:
        lines = [
            {"sku": "MUG-1", "name": "Mug", "quantity": 2, "unit_price_minor": 700},
            {"sku": "TEA-2", "name": "Tea", "quantity": 1, "unit_price_minor": 599},
        ]
        return self._of_order(
            "order.confirmed", order_id, {"total_minor": 1999, "lines": lines} | changes
        )

    def cancelled(self, order_id: str | None = None, **changes: Any) -> Event:
        data = {"total_minor": 1999, "reason": "out_of_stock"} | changes
        return self._of_order("order.cancelled", order_id, data)

    def action_required(self, order_id: str | None = None, **changes: Any) -> Event:
        data = {"total_minor": 1999, "action_url": "https://bank.example/3ds?id=1&key=s"} | changes
        return self._of_order("order.action_required", order_id, data)

    def refunded(self, order_id: str | None = None, **changes: Any) -> Event:
        data = {"amount_minor": 500, "refund_id": "re_1", "return_id": None} | changes
        return self._of_order("order.refunded", order_id, data)

    def _of_order(self, type_: str, order_id: str | None, data: dict[str, Any]) -> Event:
        order_id = order_id or new_id()
        who = {"order_id": order_id, "customer_id": "customer-1", "email": ADA, "currency": "USD"}
        return Event(type_, order_id, who | data)


database_url, db = fixtures.database("notification")


@pytest.fixture
def news(db: Database) -> News:
    return News(db)


@pytest.fixture(scope="session")
def app(database_url: str) -> Flask:
    settings = Settings(database_url=SecretStr(database_url), jwt_secret=SecretStr(JWT_SECRET))
    return create_app(settings)


@pytest.fixture
def client(app: Flask, db: Database) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def mail_server() -> Iterator[FakeMailServer]:
    server = FakeMailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mailer(mail_server: FakeMailServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailer]:
    # However busy the machine is: one answer, and all mails of a batch.
    monkeypatch.setattr(clients, "TIMEOUT_S", 20.0)
    monkeypatch.setattr(mail_delivery, "SENDING_BUDGET", 10 * mail_delivery.SENDING_BUDGET)
    made = Mailer("127.0.0.1", mail_server.port, "orders@cartwright.example")
    yield made
    made.close()


@pytest.fixture
def refused(db: Database, news: News, mail_server: FakeMailServer, mailer: Mailer) -> str:
    """The id of a message whose address was refused for good, and is suppressed."""
    mail_server.refused_recipients.add(ADA)
    news.heard(news.confirmed())
    with db.transaction() as tx:
        tx.execute(text("UPDATE messages SET attempts = 4, refusals = 4"))
    send_due(db, mailer)
    mail_server.refused_recipients.clear()
    return news.message().id
