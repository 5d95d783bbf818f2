"""What a test may do with webhooks: look, send again, hold back and let go in another order."""

import threading
from typing import TYPE_CHECKING, Any

import pytest
from simulators.payment_provider.http.app import create_app
from simulators.payment_provider.settings import Settings
from simulators.payment_provider.storage.book import Book
from werkzeug.test import TestResponse

if TYPE_CHECKING:
    from conftest import Post, Shop

HOLDS = "/book/webhook-holds"
A_MINUTE_MS = 60_000


def control(shop: "Shop", path: str, body: object) -> TestResponse:
    return shop.app.test_client().post(path, json=body)


def hold(shop: "Shop", reference: str = "ORDER-1") -> Any:
    return control(shop, HOLDS, {"reference": reference}).get_json()


def release(shop: "Shop", body: object) -> TestResponse:
    return control(shop, f"{HOLDS}/ORDER-1/release", body)


def captured(shop: "Shop") -> None:
    payment_id = shop.authorized()
    shop.post(f"/v1/payments/{payment_id}/capture", "capture", {"amount_minor": 1900})


def test_webhooks_are_listed_page_by_page_and_by_order(shop: "Shop") -> None:
    for number in range(4):
        shop.pay(f"key-{number}", reference=f"ORDER-{number % 2}")

    first = shop.book("webhooks?limit=3")
    rest = shop.book(f"webhooks?limit=3&after={first['next']}")
    of_one = shop.book("webhooks?reference=ORDER-1")["webhooks"]

    assert [w["reference"] for w in first["webhooks"] + rest["webhooks"]] == [
        "ORDER-0", "ORDER-1", "ORDER-0", "ORDER-1",
    ]  # fmt: skip
    assert rest["next"] is None
    assert [w["event"]["data"]["payment"]["reference"] for w in of_one] == ["ORDER-1"] * 2
    assert [w["deliveries"][0]["state"] for w in of_one] == ["pending"] * 2


def test_a_webhook_is_sent_again_as_it_was(shop: "Shop", post: "Post") -> None:
    shop.pay()
    post.deliver()
    (webhook,) = shop.book("webhooks")["webhooks"]

    answer = control(shop, f"/book/webhooks/{webhook['id']}/redeliver", {})
    post.deliver(after_ms=A_MINUTE_MS)

    assert answer.status_code == 202
    assert len(answer.get_json()["deliveries"]) == 2
    assert len(post.receiver.requests) == 2
    assert len({request.content for request in post.receiver.requests}) == 1


def test_a_webhook_that_never_came_can_be_sent_after_all(shop: "Shop", post: "Post") -> None:
    shop.pay(payment_method="pm_webhook_never")
    (webhook,) = shop.book("webhooks")["webhooks"]

    control(shop, f"/book/webhooks/{webhook['id']}/redeliver", {})

    assert post.deliver(after_ms=A_MINUTE_MS) == ["authorized"]


def test_a_webhook_that_is_held_waits_until_it_is_released(shop: "Shop", post: "Post") -> None:
    hold(shop)
    captured(shop)
    shop.pay("key-2", reference="ORDER-2")

    held_back = post.deliver(after_ms=3_600_000)
    answer = release(shop, {})
    released = post.deliver(after_ms=3_600_000)

    assert held_back == ["authorized"]
    assert len(answer.get_json()["released"]) == 2
    assert released == ["authorized", "authorized", "captured"]


def test_what_waits_for_another_try_can_be_held_too(shop: "Shop", post: "Post") -> None:
    shop.pay()
    post.receiver.answers = [500]
    post.deliver()

    held = hold(shop)["held"]

    assert len(held) == 1
    assert len(post.deliver(after_ms=A_MINUTE_MS)) == 1


def test_webhooks_go_in_the_order_that_is_asked_for(shop: "Shop", post: "Post") -> None:
    hold(shop)
    captured(shop)

    release(shop, {"order": "newest_first"})

    assert post.deliver(after_ms=A_MINUTE_MS) == ["captured", "authorized"]


def test_webhooks_go_in_the_order_of_a_list(shop: "Shop", post: "Post") -> None:
    hold(shop)
    captured(shop)
    authorized, captured_ = (webhook["id"] for webhook in shop.book("webhooks")["webhooks"])

    answer = release(shop, {"order": [captured_, authorized]})

    assert answer.get_json()["released"] == [captured_, authorized]
    assert post.deliver(after_ms=A_MINUTE_MS) == ["captured", "authorized"]


def test_twins_that_were_held_are_let_go_together(shop: "Shop", post: "Post") -> None:
    hold(shop)
    shop.pay(payment_method="pm_webhook_twice")
    (webhook,) = shop.book("webhooks")["webhooks"]

    release(shop, {"order": [webhook["id"]]})

    assert post.deliver(after_ms=A_MINUTE_MS) == ["authorized", "authorized"]


@pytest.mark.parametrize("order", [[], ["evt_0"], "random", 1])
def test_an_order_that_leaves_out_a_webhook_is_malformed(shop: "Shop", order: object) -> None:
    hold(shop)
    shop.pay()

    assert release(shop, {"order": order}).status_code == 400
    assert shop.book("webhooks")["webhooks"][0]["deliveries"][0]["state"] == "held"


def test_after_a_release_nothing_is_held(shop: "Shop", post: "Post") -> None:
    hold(shop)
    release(shop, {})
    shop.pay()

    assert post.deliver() == ["authorized"]
    assert release(shop, {}).status_code == 404


def test_an_unknown_webhook_is_not_found(shop: "Shop") -> None:
    assert control(shop, "/book/webhooks/evt_0/redeliver", {}).status_code == 404


@pytest.mark.parametrize(
    "path", ["/book/webhooks/evt_0/redeliver", HOLDS, f"{HOLDS}/ORDER-1/release"]
)
def test_a_form_of_another_site_moves_nothing(shop: "Shop", path: str) -> None:
    answer = shop.app.test_client().post(path, data={"reference": "ORDER-1"})

    assert answer.status_code == 415


def test_without_an_address_nothing_is_sent_and_nothing_can_be(book: Book, post: "Post") -> None:
    app = create_app(Settings(), book, threading.Event())
    headers = {"Authorization": "Bearer sk_test_cartwright", "Idempotency-Key": "key-1"}
    charge = {"amount_minor": 1900, "currency": "EUR", "payment_method": "pm_ok",
              "reference": "ORDER-1"}  # fmt: skip
    client = app.test_client()
    client.post("/v1/payments", json=charge, headers=headers)
    (webhook,) = client.get("/book/webhooks").get_json()["webhooks"]

    answers = [
        client.post(path, json=body).status_code
        for path, body in (
            (f"/book/webhooks/{webhook['id']}/redeliver", {}),
            (HOLDS, {"reference": "ORDER-1"}),
            (f"{HOLDS}/ORDER-1/release", {}),
        )
    ]

    assert webhook["deliveries"] == []
    assert post.deliver(after_ms=3_600_000) == []
    assert answers == [409, 409, 409]
