"""The book of mails: each once, every delivery counted, nothing rewritten."""

import sqlite3
from pathlib import Path

import pytest
from simulators.mailbox.book import FILE_NAME, Book, Envelope
from simulators.mailbox.mail import Mail, parse

ENVELOPE = Envelope("shop@cartwright.test", ("Ada@customer.test",), "2026-01-01T00:00:00.000Z")


def confirmation(message_id: str = "<1@shop>", order_id: str = "ORDER-1") -> Mail:
    return parse(
        f"Message-ID: {message_id}\r\nSubject: Confirmed\r\nX-Order-Id: {order_id}\r\n"
        "X-Message-Kind: order.confirmed\r\n\r\nThank you.\r\n".encode()
    )


def test_a_known_message_id_is_counted_and_not_kept_again(book: Book) -> None:
    assert book.deliver(ENVELOPE, confirmation())
    assert not book.deliver(ENVELOPE, confirmation())

    (message,) = book.list_messages({}, 0, limit=10)
    assert message["deliveries"] == 2
    assert book.summary() == {"messages": 1, "duplicates": 1}


def test_a_mail_without_a_message_id_is_always_new(book: Book) -> None:
    nameless = parse(b"Subject: hello\r\n\r\nhello")

    assert [book.deliver(ENVELOPE, nameless) for _ in range(2)] == [True, True]
    assert book.summary() == {"messages": 2, "duplicates": 0}


@pytest.mark.parametrize(
    ("narrowed_by", "found"),
    [
        ({"order_id": "ORDER-2"}, ["<2@shop>"]),
        ({"to": "ADA@CUSTOMER.test"}, ["<1@shop>", "<2@shop>"]),
        ({"to": "ada@customer.test", "order_id": "ORDER-1"}, ["<1@shop>"]),
        ({"kind": "order.cancelled"}, []),
        ({"to": "%"}, []),
    ],
)
def test_mails_are_found_by_what_they_say(
    book: Book, narrowed_by: dict[str, str], found: list[str]
) -> None:
    for number in (1, 2):
        book.deliver(ENVELOPE, confirmation(f"<{number}@shop>", f"ORDER-{number}"))

    listed = book.list_messages(narrowed_by, 0, limit=10)

    assert [message["message_id"] for message in listed] == found


def test_a_mail_to_one_address_twice_is_kept_once(book: Book) -> None:
    twice = Envelope("shop@cartwright.test", ("ada@customer.test", "ADA@customer.test"), "")

    book.deliver(twice, confirmation())

    assert len(book.list_messages({"to": "ada@customer.test"}, 0, limit=10)) == 1


@pytest.mark.parametrize("table", ["messages", "recipients", "deliveries"])
def test_history_cannot_be_rewritten(book: Book, tmp_path: Path, table: str) -> None:
    book.deliver(ENVELOPE, confirmation())
    other = sqlite3.connect(tmp_path / FILE_NAME)

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(f"DELETE FROM {table}")

    other.close()


def test_a_failed_delivery_leaves_nothing(book: Book) -> None:
    unstorable = Envelope("shop@cartwright.test", ("ada@customer.test",), None)  # type: ignore[arg-type]

    with pytest.raises(sqlite3.IntegrityError):
        book.deliver(unstorable, confirmation())

    assert book.summary() == {"messages": 0, "duplicates": 0}
