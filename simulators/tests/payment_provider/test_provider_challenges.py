"""3-D Secure: the page of the shopper's bank, and what their decision does."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from simulators.payment_provider import clock
from simulators.payment_provider.rules.payments import Charge
from simulators.payment_provider.settings import Settings
from simulators.payment_provider.storage import operations
from simulators.payment_provider.storage.book import Book
from simulators.payment_provider.storage.facts import Asked
from werkzeug.test import TestResponse

if TYPE_CHECKING:
    from conftest import Shop

RETURN_URL = "https://shop.example/orders/1?paid=maybe"


def waiting(shop: "Shop", method: str = "pm_3ds_required", **changes: object) -> Any:
    return shop.pay("key-1", payment_method=method, **changes).get_json()


def address(payment: Any) -> str:
    parts = urlsplit(payment["next_action"]["url"])
    return f"{parts.path}?{parts.query}"


def press(shop: "Shop", payment: Any, outcome: str, query: str = "") -> TestResponse:
    client = shop.app.test_client()
    return client.post(address(payment) + query, data={"outcome": outcome})


def now(shop: "Shop", payment: Any) -> Any:
    return shop.get(f"/v1/payments/{payment['id']}").get_json()


def test_a_payment_that_needs_its_shopper_says_where_they_have_to_go(shop: "Shop") -> None:
    payment = waiting(shop)

    action = payment["next_action"]
    assert (payment["status"], payment["authorized_minor"]) == ("requires_action", 0)
    assert action["type"] == "redirect"
    assert action["url"].startswith(f"http://bank.example/3ds/{payment['id']}?key=")
    assert action["expires_at"] > payment["created_at"]
    assert now(shop, payment) == payment


def test_the_page_names_shop_order_card_and_amount(shop: "Shop") -> None:
    card = {"card_number": "4000002760003184", "exp_month": 12, "exp_year": 2099, "cvc": "123"}
    token = shop.post("/v1/tokens", "key-0", card).get_json()["token"]

    page = shop.app.test_client().get(address(waiting(shop, token)))

    assert page.status_code == 200
    for shown in ("Cartwright", "ORDER-1", "Visa ending in 3184", "19.00 EUR"):
        assert shown in page.text
    assert '<html lang="en">' in page.text
    assert "<script" not in page.text


def test_the_page_escapes_what_the_shop_sent(shop: "Shop") -> None:
    payment = waiting(shop, reference="<b>'\"&")

    page = shop.app.test_client().get(address(payment))

    assert "<b>" not in page.text
    assert "&lt;b&gt;&#39;&#34;&amp;" in page.text


def test_nothing_in_the_page_may_run_be_framed_be_kept_or_tell_its_address(shop: "Shop") -> None:
    headers = shop.app.test_client().get(address(waiting(shop))).headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_an_approval_authorizes(shop: "Shop") -> None:
    payment = waiting(shop)

    said = press(shop, payment, "approve")

    after = now(shop, payment)
    assert "Payment approved" in said.text
    assert (after["status"], after["authorized_minor"]) == ("authorized", 1900)
    assert "next_action" not in after


def test_a_failure_declines(shop: "Shop") -> None:
    payment = waiting(shop)

    said = press(shop, payment, "fail")

    after = now(shop, payment)
    assert "Payment declined" in said.text
    assert (after["status"], after["decline_code"]) == ("declined", "authentication_failed")
    assert after["authorized_minor"] == 0


def test_a_bank_may_decline_whom_it_recognised(shop: "Shop") -> None:
    payment = waiting(shop, "pm_3ds_then_declined")

    press(shop, payment, "approve")

    assert now(shop, payment)["decline_code"] == "generic_decline"


@pytest.mark.parametrize(
    "mistake",
    [lambda right: right + "x", lambda right: right[:-1], lambda right: right.split("?")[0]],
    ids=["longer", "shorter", "none"],
)
def test_a_wrong_key_is_answered_as_an_unknown_payment(
    shop: "Shop", mistake: Callable[[str], str]
) -> None:
    payment = waiting(shop)
    client = shop.app.test_client()
    wrong = mistake(address(payment))

    looked, pressed = client.get(wrong), client.post(wrong, data={"outcome": "approve"})
    unknown = client.get("/3ds/pay_0?key=x")

    assert looked.status_code == pressed.status_code == unknown.status_code == 404
    assert looked.text == unknown.text
    assert now(shop, payment)["status"] == "requires_action"


def test_a_payment_without_a_challenge_has_no_page(shop: "Shop") -> None:
    assert shop.app.test_client().get(f"/3ds/{shop.authorized()}?key=").status_code == 404


def test_a_decision_is_made_once(shop: "Shop") -> None:
    payment = waiting(shop)
    press(shop, payment, "approve")

    again = press(shop, payment, "fail")
    looked = shop.app.test_client().get(address(payment))

    assert again.status_code == looked.status_code == 409
    assert "Payment approved" in again.text
    assert "<form" not in looked.text
    assert now(shop, payment)["status"] == "authorized"


def test_both_buttons_at_once_make_one_decision(shop: "Shop") -> None:
    payment = waiting(shop)

    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda n: press(shop, payment, ("approve", "fail")[n % 2]), range(8))
        )

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    facts = [fact["name"] for fact in shop.book("facts")["facts"]]
    assert len(facts) == 2
    assert facts[0] == "payment.requires_action"


def test_neither_button_decides_nothing(shop: "Shop") -> None:
    payment = waiting(shop)

    answer = press(shop, payment, "maybe")

    assert answer.status_code == 400
    assert answer.content_type.startswith("text/html")
    assert now(shop, payment)["status"] == "requires_action"


def test_an_expired_challenge_says_so_and_decides_nothing(shop: "Shop", book: Book) -> None:
    an_hour_ago = Asked(Settings(), clock.now_ms() - 3_600_000, base_url="http://bank.example")
    with book.transaction() as tx:
        operations.authorize(tx, an_hour_ago, Charge(1900, "EUR", "pm_3ds_required", "ORDER-1"))
    (payment,) = shop.book("payments")["payments"]

    looked = shop.app.test_client().get(address(payment))
    pressed = press(shop, payment, "approve")

    assert looked.status_code == pressed.status_code == 410
    assert "expired" in looked.text
    assert now(shop, payment)["status"] == "requires_action"


def test_an_unreachable_bank_lets_nobody_decide(shop: "Shop") -> None:
    payment = waiting(shop, "pm_3ds_ignored")

    looked = shop.app.test_client().get(address(payment))
    pressed = press(shop, payment, "approve")

    assert looked.status_code == pressed.status_code == 503
    assert "<form" not in looked.text
    assert now(shop, payment)["status"] == "requires_action"


@pytest.mark.parametrize("token", ["pm_3ds_required", "pm_3ds_ignored"])
def test_the_shop_can_call_a_challenge_off(shop: "Shop", token: str) -> None:
    payment = waiting(shop, token)

    voided = shop.post(f"/v1/payments/{payment['id']}/void", "key-2").get_json()
    looked = shop.app.test_client().get(address(payment))
    pressed = press(shop, payment, "approve")

    assert (voided["status"], voided["voided_minor"]) == ("voided", 0)
    assert "Payment cancelled" in looked.text
    assert pressed.status_code == 409
    assert now(shop, payment)["status"] == "voided"


def test_a_lost_answer_to_a_challenged_payment_is_found_again(shop: "Shop") -> None:
    lost = shop.pay("key-1", payment_method="pm_3ds_timeout_after_charge")

    told = shop.get("/v1/operations/key-1").get_json()

    assert lost.status_code == 504
    assert told["body"]["status"] == "requires_action"


@pytest.mark.parametrize("outcome", ["approve", "fail"])
def test_the_shopper_is_sent_back_to_the_shop(shop: "Shop", outcome: str) -> None:
    payment = waiting(shop, return_url=RETURN_URL)

    page = shop.app.test_client().get(address(payment))
    answer = press(shop, payment, outcome)

    assert (answer.status_code, answer.headers["Location"]) == (303, RETURN_URL)
    assert "form-action 'self' https://shop.example;" in page.headers["Content-Security-Policy"]


def test_whoever_sends_the_shopper_there_may_say_where_they_come_back_to(shop: "Shop") -> None:
    payment = waiting(shop, return_url=RETURN_URL)
    elsewhere = "https://shop.example/orders/2"

    answer = press(shop, payment, "approve", f"&return_url={quote(elsewhere)}")

    assert answer.headers["Location"] == elsewhere


FORBIDDEN = [
    "https://evil.example/",
    "https://shop.example.evil.example/",
    "https://shop.example@evil.example/",
    "https://shop.example\\@evil.example/",
    "http://shop.example/",
    "https://shop.example:444/",
    "//shop.example/",
    "javascript:alert(1)",
    "https://shop.example/\r\nSet-Cookie: a=b",
    "",
]


@pytest.mark.parametrize("url", FORBIDDEN)
def test_a_shopper_is_sent_nowhere_else(shop: "Shop", url: str) -> None:
    refused = shop.pay("key-0", payment_method="pm_3ds_required", return_url=url)
    payment = waiting(shop)
    pressed = press(shop, payment, "approve", f"&return_url={quote(url, safe='')}")

    assert refused.status_code == 422
    assert refused.get_json()["type"] == "urn:payment-provider:problem:return-url-not-allowed"
    assert pressed.status_code == 422
    assert "Location" not in pressed.headers
    assert now(shop, payment)["status"] == "requires_action"


@pytest.mark.parametrize(("outcome", "status"), [("approve", "authorized"), ("fail", "declined")])
def test_a_test_decides_as_the_shopper_would(shop: "Shop", outcome: str, status: str) -> None:
    payment = waiting(shop)
    client = shop.app.test_client()

    first = client.post(f"/book/challenges/{payment['id']}", json={"outcome": outcome})
    again = client.post(f"/book/challenges/{payment['id']}", json={"outcome": outcome})
    unknown = client.post("/book/challenges/pay_0", json={"outcome": outcome})

    assert first.get_json()["status"] == status
    assert again.status_code == 409
    assert unknown.status_code == 404
