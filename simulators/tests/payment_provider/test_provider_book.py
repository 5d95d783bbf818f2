"""The book: append-only, complete, and readable in pages."""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from simulators.payment_provider.storage.book import FILE_NAME, Book

if TYPE_CHECKING:
    from conftest import Shop

CARD = "4000000000009995"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log SET status = 500",
        "DELETE FROM log",
        "UPDATE answers SET status = 500",
        "DELETE FROM answers",
        "DELETE FROM payments",
        "UPDATE payments SET refunded_minor = captured_minor + 1",
        "UPDATE payments SET status = 'voided'",
        "UPDATE webhooks SET body = ''",
        "DELETE FROM webhooks",
        "DELETE FROM deliveries",
        "UPDATE payments SET captured_minor = amount_minor + 1",
    ],
)
def test_history_cannot_be_rewritten(shop: "Shop", book: Book, statement: str) -> None:
    shop.pay()

    with pytest.raises(sqlite3.IntegrityError), book.transaction() as tx:
        tx.execute(statement)


def test_a_transaction_that_fails_leaves_nothing(book: Book) -> None:
    def fail() -> None:
        with book.transaction() as tx:
            tx.execute("INSERT INTO tokens VALUES ('pm_1', 'ok', 'visa', '4242', '')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    with book.reading() as tx:
        assert tx.execute("SELECT count(*) FROM tokens").fetchone()[0] == 0


def test_payments_are_listed_page_by_page(shop: "Shop") -> None:
    for number in range(5):
        shop.pay(f"key-{number}", reference=f"ORDER-{number}")

    first = shop.book("payments?limit=3")
    rest = shop.book(f"payments?limit=3&after={first['next']}")

    listed = [payment["reference"] for payment in first["payments"] + rest["payments"]]
    assert listed == [f"ORDER-{number}" for number in range(5)]
    assert rest["next"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after=-1", "after=²"])
def test_an_impossible_page_is_refused(shop: "Shop", query: str) -> None:
    response = shop.app.test_client().get(f"/book/payments?{query}")

    assert response.status_code == 400
    assert response.content_type == "application/problem+json"


def test_every_call_of_an_order_is_in_the_book(shop: "Shop") -> None:
    payment_id = shop.authorized("key-1")
    shop.pay("key-1")
    shop.post(f"/v1/payments/{payment_id}/capture", "key-2", {"amount_minor": 1901})
    shop.post(f"/v1/payments/{payment_id}/capture", "key-3", {"amount_minor": 1900})
    shop.get("/v1/payments?reference=ORDER-1")
    shop.pay("key-4", reference="ORDER-2")

    calls = shop.book("calls?reference=ORDER-1")["calls"]

    assert [
        (call["name"], call["status"], call["replayed"], call.get("idempotency_key"))
        for call in calls
    ] == [
        ("payment.authorize", 200, False, "key-1"),
        ("payment.authorize", 200, True, "key-1"),
        ("payment.capture", 422, False, "key-2"),
        ("payment.capture", 200, False, "key-3"),
        ("payment.find", 200, False, None),
    ]
    assert {call.get("payment_id") for call in calls} == {payment_id, None}


def test_a_failed_call_is_in_the_book_too(shop: "Shop") -> None:
    shop.pay(payment_method="pm_500_then_ok")

    assert [call["status"] for call in shop.book("calls?reference=ORDER-1")["calls"]] == [500]


def test_the_callers_trace_is_kept_with_the_call(shop: "Shop") -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"Authorization": "Bearer sk_test_cartwright", "traceparent": traceparent}

    shop.app.test_client().get("/v1/payments?reference=ORDER-1", headers=headers)

    assert shop.book("calls")["calls"][0]["traceparent"] == traceparent


def test_the_facts_alone_tell_what_the_payments_say(shop: "Shop") -> None:
    captured, voided = (shop.authorized(f"key-{n}", reference=f"ORDER-{n}") for n in (1, 2))
    shop.pay("key-3", payment_method="pm_declined", reference="ORDER-3")
    shop.post(f"/v1/payments/{captured}/capture", "key-4", {"amount_minor": 1500})
    shop.post(f"/v1/payments/{voided}/void", "key-5")

    facts = shop.book("facts")["facts"]
    payments = shop.book("payments")["payments"]

    last_fact = {fact["payment_id"]: fact for fact in facts}
    assert {payment["id"]: f"payment.{payment['status']}" for payment in payments} == {
        payment_id: fact["name"] for payment_id, fact in last_fact.items()
    }
    assert last_fact[captured]["amount_minor"] == 1500
    assert last_fact[voided]["amount_minor"] == 1900


def test_the_summary_adds_up(shop: "Shop") -> None:
    first = shop.authorized("key-1", reference="ORDER-1")
    shop.pay("key-2", reference="ORDER-2", amount_minor=100)
    shop.pay("key-3", reference="ORDER-3", payment_method="pm_declined")
    shop.pay("key-3", reference="ORDER-3", payment_method="pm_declined")
    shop.post(f"/v1/payments/{first}/capture", "key-4", {"amount_minor": 1500})

    shop.post(f"/v1/payments/{first}/refunds", "key-5", {"amount_minor": 500})

    assert shop.book("summary") == {
        "payments": 3,
        "by_status": {"authorized": 1, "declined": 1, "partially_refunded": 1},
        "by_currency": {
            "EUR": {
                "authorized_minor": 2000,
                "captured_minor": 1500,
                "voided_minor": 400,
                "refunded_minor": 500,
            }
        },
        "references_charged_more_than_once": 0,
        "refunds": 1,
        "calls": 6,
        "replayed_calls": 1,
        "webhooks": 5,
        "deliveries_by_state": {"pending": 5},
        "attempts": 0,
    }


def test_a_card_number_is_nowhere_in_the_book(shop: "Shop", book: Book, tmp_path: Path) -> None:
    card = {"card_number": CARD, "exp_month": 12, "exp_year": 2099, "cvc": "987"}
    token = shop.post("/v1/tokens", "key-1", card).get_json()["token"]
    shop.pay("key-2", payment_method=token)
    book.close()

    files = [path.read_bytes() for path in tmp_path.iterdir()]

    assert any(token.encode() in content for content in files)
    assert not any(CARD.encode() in content for content in files)
    assert (tmp_path / FILE_NAME).exists()


def test_the_page_shows_the_latest_payments_without_a_script(shop: "Shop") -> None:
    shop.pay("key-1", reference="<b>ORDER-1</b>")
    shop.pay("key-2", reference="ORDER-2", currency="JPY")

    page = shop.app.test_client().get("/")

    assert "19.00 EUR" in page.text
    assert "1,900 JPY" in page.text
    assert "&lt;b&gt;ORDER-1&lt;/b&gt;" in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert '<meta name="color-scheme" content="light dark">' in page.text


def test_the_page_of_an_empty_book_says_so(shop: "Shop") -> None:
    assert "No payment was made yet." in shop.app.test_client().get("/").text
