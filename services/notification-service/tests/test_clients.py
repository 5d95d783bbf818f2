from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from common.ids import new_id
from notification.clients import Mailer
from notification.domain import Kind, Message, Refused, Sent, Unanswered

if TYPE_CHECKING:
    from conftest import FakeMailServer

MESSAGE = Message(
    id=new_id(),
    order_id="0192f0c1-0000-7000-8000-000000000001",
    kind=Kind.ORDER_CONFIRMATION,
    recipient="ada@customer.example",
    subject="Your order is confirmed",
    text="Thank you, Ädä.\n",
    html="<p>Thank you, Ädä.</p>\n",
    created_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
)


def test_a_mail_arrives_with_its_headers(mail_server: "FakeMailServer", mailer: Mailer) -> None:
    outcome = mailer.send(MESSAGE)

    assert isinstance(outcome, Sent)
    (mail,) = mail_server.mails
    assert {name: str(mail[name]) for name in mail} | {"Content-Type": ""} == {
        "From": "Cartwright <orders@cartwright.example>",
        "To": "ada@customer.example",
        "Subject": "Your order is confirmed",
        "Date": "Fri, 02 Jan 2026 03:04:00 +0000",
        "Message-ID": (
            "<0192f0c1-0000-7000-8000-000000000001.order_confirmation@cartwright.example>"
        ),
        "Auto-Submitted": "auto-generated",
        "X-Order-Id": "0192f0c1-0000-7000-8000-000000000001",
        "X-Message-Kind": "order_confirmation",
        "MIME-Version": "1.0",
        "Content-Type": "",
        "X-Envelope": "orders@cartwright.example -> ada@customer.example",
    }


def test_a_mail_is_plain_text_and_html(mail_server: "FakeMailServer", mailer: Mailer) -> None:
    mailer.send(MESSAGE)

    (mail,) = mail_server.mails
    parts = [(part.get_content_type(), part.get_content()) for part in mail.iter_parts()]
    assert parts == [
        ("text/plain", "Thank you, Ädä.\n"),
        ("text/html", "<p>Thank you, Ädä.</p>\n"),
    ]


def test_mails_go_over_one_connection(mail_server: "FakeMailServer", mailer: Mailer) -> None:
    outcomes = [mailer.send(MESSAGE) for _ in range(3)]

    assert [type(outcome) for outcome in outcomes] == [Sent, Sent, Sent]
    assert mail_server.connections == 1


def test_a_connection_that_the_server_closed_is_replaced(
    mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    mailer.send(MESSAGE)
    mail_server.stop()
    mail_server.start()

    outcome = mailer.send(MESSAGE)

    assert isinstance(outcome, Sent)
    assert len(mail_server.mails) == 2


def test_a_refused_recipient_is_told_with_the_servers_words(
    mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    mail_server.refused_recipients.add("ada@customer.example")

    assert mailer.send(MESSAGE) == Refused(550, "5.1.1 No such user")


def test_a_refusal_does_not_trouble_the_next_mail(
    mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    mail_server.refused_recipients.add("ada@customer.example")
    mailer.send(MESSAGE)

    outcome = mailer.send(replace(MESSAGE, recipient="bob@customer.example"))

    assert isinstance(outcome, Sent)
    assert mail_server.connections == 1


def test_a_deferred_mail_is_told_with_its_code(
    mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    mail_server.replies = ["451 4.3.0 Later"]

    assert mailer.send(MESSAGE) == Refused(451, "4.3.0 Later")


def test_a_server_that_says_goodbye_gave_no_answer(
    mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    mail_server.replies = ["421 4.3.2 Shutting down"]

    assert mailer.send(MESSAGE) == Unanswered("421 4.3.2 Shutting down")
    assert isinstance(mailer.send(MESSAGE), Sent)


def test_a_server_that_is_down_gives_no_answer(
    mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    mail_server.stop()

    assert mailer.send(MESSAGE) == Unanswered("ConnectionRefusedError")


@pytest.mark.parametrize("name", ["Ada\r\nBcc: eve@evil.example", "Ada\n\nHello"])
def test_a_header_cannot_be_smuggled_in(
    mail_server: "FakeMailServer", mailer: Mailer, name: str
) -> None:
    with pytest.raises(ValueError, match="linefeed"):
        mailer.send(replace(MESSAGE, subject=name))

    assert mail_server.mails == []
