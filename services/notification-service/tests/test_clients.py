import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from common import addresses
from common.ids import new_id
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from notification import clients
from notification.clients import Mailer
from notification.domain.delivery import Refused, Sent, Unanswered
from notification.domain.messages import Kind, Message
from notification.domain.preferences import Language

if TYPE_CHECKING:
    from conftest import FakeMailServer

MESSAGE = Message(
    id=new_id(),
    kind=Kind.ORDER_CONFIRMATION,
    fact="0192f0c1-0000-7000-8000-000000000001",
    order_id="0192f0c1-0000-7000-8000-000000000001",
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
        "Content-Language": "en",
        "X-Order-Id": "0192f0c1-0000-7000-8000-000000000001",
        "X-Message-Kind": "order_confirmation",
        "MIME-Version": "1.0",
        "Content-Type": "",
        "X-Envelope": "orders@cartwright.example -> ada@customer.example",
    }


@pytest.mark.parametrize("recipient", ["a\r\nb@example.com", "a@b\n.example"])
def test_a_mail_that_cannot_be_written_fails_alone(
    mail_server: "FakeMailServer", mailer: Mailer, recipient: str
) -> None:
    """Whoever let such an address in; the next mail goes out."""
    outcome = mailer.send(replace(MESSAGE, recipient=recipient))

    assert isinstance(outcome, Refused)
    assert outcome.code == 554
    assert isinstance(mailer.send(MESSAGE), Sent)
    assert len(mail_server.mails) == 1


def test_a_server_that_has_no_words_for_an_address_is_asked_about_the_next(
    mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    mail_server.stop()
    mail_server.knows_utf8 = False
    mail_server.start()

    outcome = mailer.send(replace(MESSAGE, recipient="jörg@customer.example"))

    assert isinstance(outcome, Refused)
    assert outcome.code == 554
    assert isinstance(mailer.send(MESSAGE), Sent)
    assert len(mail_server.mails) == 1


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

    assert mailer.send(MESSAGE) == Refused(550, "5.1.1 No such user", at_recipient=True)


def test_a_refusal_does_not_trouble_the_next_mail(
    mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    mail_server.refused_recipients.add("ada@customer.example")
    mailer.send(MESSAGE)

    outcome = mailer.send(replace(MESSAGE, recipient="bob@customer.example"))

    assert isinstance(outcome, Sent)
    assert mail_server.connections == 1


def test_a_mail_that_the_server_does_not_like_is_no_fault_of_the_recipient(
    mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    mail_server.replies = ["550 5.7.1 Spam"]

    assert mailer.send(MESSAGE) == Refused(550, "5.7.1 Spam", at_recipient=False)


def test_a_welcome_is_about_no_order(mail_server: "FakeMailServer", mailer: Mailer) -> None:
    mailer.send(replace(MESSAGE, kind=Kind.WELCOME, order_id=None, language=Language.ES))

    (mail,) = mail_server.mails
    assert mail["X-Order-Id"] is None
    assert (mail["X-Message-Kind"], mail["Content-Language"]) == ("welcome", "es")


def test_the_longest_message_id_is_not_folded(
    mail_server: "FakeMailServer", mailer: Mailer
) -> None:
    longest = replace(MESSAGE, fact=f"{MESSAGE.order_id}.{'r' * 64}", kind=Kind.REFUND)

    mailer.send(longest)

    (mail,) = mail_server.mails
    assert mail["Message-ID"] == longest.message_id


@given(
    st.text("a.=?'+ö-", min_size=1, max_size=8)
    .map("{}@straße.example".format)
    .map(addresses.canonical_or_none)
    .filter(bool)
)
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),  # One server for all examples is what is meant.
)
def test_whatever_passes_for_an_address_can_be_written_to(
    mail_server: "FakeMailServer", mailer: Mailer, address: str
) -> None:
    """Else its mail would come back to the head of the queue for ever."""
    outcome = mailer.send(replace(MESSAGE, recipient=address))

    assert isinstance(outcome, Sent)
    assert mail_server.mails[-1]["To"] == address


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


def test_a_server_that_is_lost_once_it_has_the_mail_may_deliver_it(
    mail_server: "FakeMailServer", mailer: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()
    mail_server.on_mail = lambda: done.wait(60)  # Nothing is heard of it for so long.
    with monkeypatch.context() as impatient:
        impatient.setattr(clients, "TAKEN_WITHIN_S", 0.1)
        lost = mailer.send(MESSAGE)
    done.set()

    assert lost == Unanswered("SMTPServerDisconnected", may_have_arrived=True)
    assert isinstance(mailer.send(MESSAGE), Sent)


def test_a_mail_may_take_longer_than_any_other_word(
    mail_server: "FakeMailServer", mailer: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection's patience is a moment's while all other words were said, and then not."""
    heard: list[float | None] = []
    mail_server.on_mail = lambda: heard.append(timeout_of(mailer))

    assert isinstance(mailer.send(MESSAGE), Sent)
    assert heard == [clients.TAKEN_WITHIN_S]
    assert timeout_of(mailer) == clients.TIMEOUT_S


def timeout_of(mailer: Mailer) -> float | None:
    connection = mailer._connection
    return connection.sock.gettimeout() if connection and connection.sock else None


@pytest.mark.parametrize("name", ["Ada\r\nBcc: eve@evil.example", "Ada\n\nHello"])
def test_a_header_cannot_be_smuggled_in(
    mail_server: "FakeMailServer", mailer: Mailer, name: str
) -> None:
    outcome = mailer.send(replace(MESSAGE, subject=name))

    assert isinstance(outcome, Refused)
    assert outcome.reason == "ValueError"
    assert mail_server.mails == []
