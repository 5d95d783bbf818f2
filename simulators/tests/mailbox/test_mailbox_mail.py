import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from simulators.mailbox import mail

BOTH = b"""\
From: shop@cartwright.test\r
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r
X-Order-Id:\r
 ORDER-1\r
X-Message-Kind: order.confirmed\r
Content-Type: multipart/alternative; boundary=b\r
\r
--b\r
Content-Type: text/plain; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
Gr=FC=DFe\r
--b\r
Content-Type: text/html; charset=utf-8\r
\r
<p>Gr\xc3\xbc\xc3\x9fe</p>\r
--b--\r
"""


def test_text_and_html_are_decoded_by_their_charsets() -> None:
    parsed = mail.parse(BOTH)

    assert parsed.text is not None
    assert parsed.text.strip() == "Grüße"
    assert parsed.html is not None
    assert parsed.html.strip() == "<p>Grüße</p>"


def test_headers_are_decoded_and_unfolded_and_found_in_any_case() -> None:
    parsed = mail.parse(BOTH)

    assert parsed.header("subject") == "Grüße"
    assert parsed.header("x-order-id") == "ORDER-1"
    assert [name for name, _ in parsed.headers][:2] == ["From", "Subject"]


def test_a_header_in_plain_utf_8_is_read_as_such() -> None:
    assert mail.parse("Subject: Grüße\r\n\r\n".encode()).header("Subject") == "Grüße"


def test_an_attachment_is_not_taken_for_the_text() -> None:
    parsed = mail.parse(
        b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nsaved, not read\r\n"
    )

    assert parsed.text is None


def test_a_mail_without_a_header_has_none() -> None:
    assert mail.parse(b"Message-ID: \r\n\r\nhello").header("Message-ID") is None


def test_an_unknown_charset_is_read_as_utf_8() -> None:
    parsed = mail.parse(b"Content-Type: text/plain; charset=klingon\r\n\r\nGr\xc3\xbc\xc3\x9fe")

    assert parsed.text == "Grüße"


@pytest.mark.parametrize("subject", ["=?klingon?q?hi?=", "=?utf-8?b?a?=", "=?utf-7?q?+2AA-?="])
def test_an_undecodable_header_is_shown_somehow(subject: str) -> None:
    parsed = mail.parse(f"Subject: {subject}\r\n\r\n".encode())

    assert parsed.header("Subject")


@given(st.binary(max_size=300))
@example(b"Content-Type: text/plain; charset=utf-7\r\n\r\n+2AA-")
@example(b"Subject: \xff\r\n\r\n")
@example(b"Content-Type: text/plain; charset*=x''%ff\r\n\r\nhi")
@example(b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n====a")
def test_no_mail_is_too_odd_to_be_kept(raw: bytes) -> None:
    parsed = mail.parse(raw)

    json.dumps([parsed.headers, parsed.text, parsed.html], ensure_ascii=False).encode("utf-8")


def test_links_are_found_once_each_without_the_end_of_their_sentence() -> None:
    text = "See https://bank.test/a?b=1. Or (http://127.0.0.1:80/x), or https://bank.test/a?b=1!"

    assert mail.links(text) == ["https://bank.test/a?b=1", "http://127.0.0.1:80/x"]
    assert mail.links("javascript:x ftp://y") == mail.links(None) == []
