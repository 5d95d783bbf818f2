"""The page on which people look through the book."""

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from werkzeug.test import TestResponse

if TYPE_CHECKING:
    from conftest import Post, Shop


def look(shop: "Shop", path: str = "/") -> TestResponse:
    return shop.app.test_client().get(path)


def link(page: TestResponse, text: str, section: str = "") -> str:
    """Where the first link with this text leads, of a section if it is given."""
    begins = page.text.index(f'<h2 id="{section}">') if section else 0
    found = re.search(rf'<a[^>]*href="([^"]*)"[^>]*>{text}</a>', page.text[begins:])
    assert found is not None
    return unescape(found[1])


def test_the_page_shows_payments_operations_and_webhooks(shop: "Shop", post: "Post") -> None:
    payment_id = shop.authorized()
    shop.post(f"/v1/payments/{payment_id}/capture", "capture-1", {"amount_minor": 1900})
    shop.post(f"/v1/payments/{payment_id}/refunds", "refund-1", {"amount_minor": 500})
    post.receiver.answers = [503]
    post.deliver()

    page = look(shop).text

    assert "partially refunded" in page
    assert "refunded 5.00 EUR" in page
    assert "payment.capture" in page
    assert "capture-1" in page
    assert "503 in " in page
    assert "200 in " in page
    assert page.count("payment.refunded") == 1


def test_a_webhook_that_never_comes_is_shown_as_not_sent(shop: "Shop") -> None:
    shop.pay(payment_method="pm_webhook_never")

    assert "not sent" in look(shop).text


def test_a_challenge_can_be_opened_from_the_page(shop: "Shop") -> None:
    payment = shop.pay(payment_method="pm_3ds_required").get_json()

    assert link(look(shop), "Open the bank.s page") == payment["next_action"]["url"]


@pytest.mark.parametrize("name", ["payments", "operations", "webhooks"])
def test_every_list_is_turned_page_by_page_to_the_end(shop: "Shop", name: str) -> None:
    for number in range(40):
        shop.pay(f"key-{number:02}", reference=f"ORDER-{number:02}")

    page, seen = look(shop), []
    while True:
        part = page.text[page.text.index(f'<h2 id="{name}">'):]  # fmt: skip
        part = part[: part.index("</section>")]
        seen += re.findall(r"<code>(ORDER-\d\d)</code>", part)
        if ">Older</a>" not in part:
            break
        page = look(shop, link(page, "Older", name))

    assert seen == [f"ORDER-{number:02}" for number in reversed(range(40))]


def test_one_order_is_shown_alone(shop: "Shop") -> None:
    shop.pay("key-1", reference="ORDER-1")
    shop.pay("key-2", reference="ORDER-2")

    page = look(shop, "/?reference=ORDER-2").text

    assert "ORDER-2" in page
    assert "ORDER-1" not in page


def test_the_page_refreshes_until_it_is_paused_or_turned(shop: "Shop") -> None:
    for number in range(20):
        shop.pay(f"key-{number}", reference=f"ORDER-{number}")
    refresh = '<meta http-equiv="refresh" content="5">'

    page = look(shop)
    paused = look(shop, link(page, "Pause"))
    turned = look(shop, link(page, "Older"))

    assert refresh in page.text
    assert refresh not in paused.text
    assert refresh not in turned.text
    assert refresh in look(shop, link(paused, "Refresh by itself")).text


@pytest.mark.parametrize("query", ["payments=x", "webhooks=-1", "operations=" + "9" * 19])
def test_a_page_that_cannot_be_is_refused(shop: "Shop", query: str) -> None:
    assert look(shop, f"/?{query}").status_code == 400


def test_nothing_that_was_sent_becomes_markup(shop: "Shop") -> None:
    evil = "<script>alert(1)</script>"
    shop.pay(evil, reference="\"><img/src=x>'")

    page = look(shop)
    asked = look(shop, f"/?reference={evil}")

    assert "<script" not in page.text + asked.text
    assert "<img" not in page.text + asked.text
    assert "&lt;script&gt;" in asked.text


def test_the_page_fetches_nothing_but_its_style_sheet(shop: "Shop") -> None:
    shop.pay(payment_method="pm_3ds_required")

    page = look(shop)

    assert re.findall(r'(?:src|<link[^>]*href)="([^"]*)"', page.text) == ["/static/page.css"]
    with look(shop, "/static/page.css") as sheet:
        assert sheet.status_code == 200
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_without_an_address_the_page_says_that_no_webhook_is_sent(shop: "Shop") -> None:
    assert "http://shop.example/webhooks/payment-provider" in look(shop).text
