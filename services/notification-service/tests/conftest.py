from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as default_policy
from socket import create_server

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from common.db import Database
from common.testing import clean_database, migrated_database
from notification.clients import Mailer


class FakeMailServer:
    """Takes mails by SMTP and keeps them, or answers as it is told.

    replies: what it says to the next mails instead of taking them.
    on_mail: called while a mail is being delivered.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.replies: list[str] = []
        self.refused_recipients: set[str] = set()
        self.connections = 0
        self.on_mail: Callable[[], object] = lambda: None
        with create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
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
            return "550 5.1.1 No such user"
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


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    with migrated_database("notification") as url:
        yield url


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    with clean_database(database_url) as database:
        yield database


@pytest.fixture
def mail_server() -> Iterator[FakeMailServer]:
    server = FakeMailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mailer(mail_server: FakeMailServer) -> Iterator[Mailer]:
    made = Mailer("127.0.0.1", mail_server.port, "orders@cartwright.example")
    yield made
    made.close()
