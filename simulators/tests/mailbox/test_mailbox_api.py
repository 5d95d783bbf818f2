"""The mails as JSON and as pages."""

import pytest
from flask.testing import FlaskClient
from simulators.mailbox.api import create_app
from simulators.mailbox.book import Book, Envelope
from simulators.mailbox.mail import parse

RAW = b"""\
Message-ID: <1@shop>\r
Subject: <b>Confirmed</b>\r
X-Order-Id: ORDER-1\r
X-Message-Kind: order.confirmed\r
Content-Type: text/html; charset=utf-8\r
\r
<h1>Thank you</h1><script>steal()</script>"""


@pytest.fixture
def client(book: Book) -> FlaskClient:
    return create_app(book).test_client()


@pytest.fixture
def message_id(book: Book, client: FlaskClient) -> str:
    """The id of a mail that was delivered."""
    came = Envelope("shop@cartwright.test", ("ada@customer.test",), "2026-01-01T00:00:00.000Z")
    book.deliver(came, parse(RAW))
    delivered: str = client.get("/messages").get_json()["messages"][0]["id"]
    return delivered


def test_a_list_shows_mails_without_their_bodies(client: FlaskClient, message_id: str) -> None:
    assert client.get("/messages?order_id=ORDER-1&kind=order.confirmed").get_json() == {
        "messages": [
            {
                "id": message_id,
                "message_id": "<1@shop>",
                "from": "shop@cartwright.test",
                "to": ["ada@customer.test"],
                "subject": "<b>Confirmed</b>",
                "order_id": "ORDER-1",
                "kind": "order.confirmed",
                "received_at": "2026-01-01T00:00:00.000Z",
                "deliveries": 1,
            }
        ],
        "next": None,
    }


def test_a_list_shows_texts_to_who_wants_to_read_them_all(client: FlaskClient, book: Book) -> None:
    came = Envelope("shop@cartwright.test", ("ada@customer.test",), "2026-01-01T00:00:00.000Z")
    book.deliver(came, parse(b"Subject: Soon\r\n\r\nIt will be there soon."))

    shown = client.get("/messages?text=1").get_json()["messages"]

    assert [mail["text"] for mail in shown] == ["It will be there soon."]


def test_a_mail_is_shown_in_full(client: FlaskClient, message_id: str) -> None:
    message = client.get(f"/messages/{message_id}").get_json()

    assert message["html"] == "<h1>Thank you</h1><script>steal()</script>"
    assert message["text"] is None
    assert ["X-Order-Id", "ORDER-1"] in message["headers"]


def test_mails_are_listed_page_by_page(client: FlaskClient, book: Book) -> None:
    came = Envelope("shop@cartwright.test", ("ada@customer.test",), "2026-01-01T00:00:00.000Z")
    for number in range(5):
        book.deliver(came, parse(f"Message-ID: <{number}@shop>\r\n\r\n".encode()))

    first = client.get("/messages?limit=3").get_json()
    rest = client.get(f"/messages?limit=3&after={first['next']}").get_json()

    listed = [message["message_id"] for message in first["messages"] + rest["messages"]]
    assert listed == [f"<{number}@shop>" for number in range(5)]
    assert rest["next"] is None


def test_the_page_of_a_mail_shows_its_html_in_a_sandbox(
    client: FlaskClient, message_id: str
) -> None:
    page = client.get(f"/messages/{message_id}/view")

    assert "&lt;b&gt;Confirmed&lt;/b&gt;" in page.text
    assert "steal()" not in page.text
    assert f'<iframe sandbox title="The mail as HTML" src="/messages/{message_id}/html">' in (
        page.text
    )
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_the_html_of_a_mail_runs_no_script_even_by_itself(
    client: FlaskClient, message_id: str
) -> None:
    policy = client.get(f"/messages/{message_id}/html").headers["Content-Security-Policy"]

    assert policy.startswith("sandbox; default-src 'none';")
    assert "script" not in policy


def test_the_inbox_links_to_its_mails(client: FlaskClient, message_id: str) -> None:
    page = client.get("/")

    assert f'href="/messages/{message_id}/view"' in page.text
    assert '<meta name="color-scheme" content="light dark">' in page.text


def test_the_inbox_shows_whose_mails_are_asked_for(
    client: FlaskClient, book: Book, message_id: str
) -> None:
    came = Envelope("shop@cartwright.test", ("bob@customer.test",), "2026-01-01T00:00:00.000Z")
    book.deliver(came, parse(b"Message-ID: <2@shop>\r\nSubject: To Bob\r\n\r\n"))

    page = client.get("/?to=BOB@customer.test&kind=&order_id=")

    assert "To Bob" in page.text
    assert message_id not in page.text
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]


def test_what_is_asked_for_is_shown_again_as_text(client: FlaskClient) -> None:
    page = client.get('/?to="><script>steal()</script>')

    assert "&#34;&gt;&lt;script&gt;" in page.text
    assert "No such mail has come." in page.text


@pytest.mark.parametrize("words", ["ADA@customer", "pedido", "ESTÁ", "50 %", "envío de"])
def test_words_are_found_in_recipient_subject_and_body(
    client: FlaskClient, book: Book, message_id: str, words: str
) -> None:
    came = Envelope("shop@cartwright.test", ("ada@customer.test",), "2026-01-01T00:00:00.000Z")
    spanish = "Subject: Tu pedido está listo\r\n\r\nEnvío de tazas al 50 %.\r\n"
    book.deliver(came, parse(spanish.encode()))

    page = client.get("/", query_string={"q": words})
    listed = client.get("/messages", query_string={"q": words}).get_json()["messages"]

    assert "Tu pedido está listo" in page.text
    assert f'value="{words}"' in page.text
    assert "Tu pedido está listo" in {message["subject"] for message in listed}


@pytest.mark.parametrize("words", ["bob", "%", "_", "shop@cartwright.test"])
def test_words_that_are_not_in_it_find_nothing_and_lead_back(
    client: FlaskClient, message_id: str, words: str
) -> None:
    page = client.get("/", query_string={"q": words})

    assert "No such mail has come." in page.text
    assert '<a href="/">See all mails</a>' in page.text


def test_too_long_a_search_is_told_why(client: FlaskClient, message_id: str) -> None:
    page = client.get("/", query_string={"q": "x" * 255})

    assert page.status_code == 400
    assert "Not searched: q has at most 254 characters." in page.text
    assert message_id not in page.text


def test_an_order_that_the_subject_names_is_not_named_again(
    client: FlaskClient, book: Book, message_id: str
) -> None:
    came = Envelope("shop@cartwright.test", ("ada@customer.test",), "2026-01-01T00:00:00.000Z")
    book.deliver(came, parse(b"Subject: Your order ORDER-2\r\nX-Order-Id: ORDER-2\r\n\r\n"))

    page = client.get("/").text

    assert '<a href="/?order_id=ORDER-2">its&nbsp;mails</a>' in page
    assert '<a href="/?order_id=ORDER-1"><code>ORDER-1</code></a>' in page


def test_the_page_of_a_mail_lets_its_links_be_followed(client: FlaskClient, book: Book) -> None:
    came = Envelope("shop@cartwright.test", ("ada@customer.test",), "2026-01-01T00:00:00.000Z")
    book.deliver(came, parse(b"\r\nhttps://bank.test/3ds?id=1&key=s\r\njavascript:steal()\r\n"))
    mail_id = client.get("/messages").get_json()["messages"][0]["id"]

    page = client.get(f"/messages/{mail_id}/view")

    assert '<a href="https://bank.test/3ds?id=1&amp;key=s" rel="noreferrer">' in page.text
    assert 'href="javascript' not in page.text


def test_an_empty_inbox_says_so(client: FlaskClient) -> None:
    assert "No mail has come yet." in client.get("/").text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/messages/msg_0", 404),
        ("/messages/msg_0/view", 404),
        ("/messages/msg_0/html", 404),
        ("/nowhere", 404),
        ("/messages?limit=0", 400),
        ("/messages?limit=1001", 400),
        ("/messages?after=x", 400),
        ("/messages?text=yes", 400),
        (f"/messages?q={'x' * 255}", 400),
    ],
)
def test_every_error_is_a_problem(client: FlaskClient, path: str, status: int) -> None:
    response = client.get(path)

    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    assert response.get_json()["status"] == status


def test_a_bug_is_told_without_detail(client: FlaskClient, book: Book) -> None:
    book.close()

    response = client.get("/summary")

    assert response.status_code == 500
    assert set(response.get_json()) == {"type", "title", "status"}
