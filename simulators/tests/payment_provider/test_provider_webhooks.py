"""Webhooks: what they say, who can trust them, and when they come."""

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators.payment_provider.rules import webhooks
from simulators.payment_provider.rules.behaviours import Delivery
from simulators.payment_provider.rules.webhooks import BACKOFF_MAX_MS
from simulators.payment_provider.storage.book import Book

if TYPE_CHECKING:
    from conftest import Post, Shop

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
LATE_MS = 2_000  # PAYMENT_PROVIDER_WEBHOOK_LATE_MS
SIX_HOURS_MS = 6 * 3_600_000


def captured(shop: "Shop", token: str) -> str:
    """The id of a payment with this token that was captured."""
    payment_id = shop.authorized(payment_method=token)
    shop.post(f"/v1/payments/{payment_id}/capture", "capture", {"amount_minor": 1900})
    return payment_id


def listed(shop: "Shop") -> Any:
    return shop.book("webhooks")["webhooks"]


def test_every_fact_is_told_once_and_in_order(shop: "Shop", post: "Post") -> None:
    payment_id = captured(shop, "pm_ok")
    shop.post(f"/v1/payments/{payment_id}/refunds", "r-1", {"amount_minor": 500})
    shop.post(f"/v1/payments/{payment_id}/refunds", "r-2", {"amount_minor": 1400})

    assert post.deliver() == ["authorized", "captured", "refunded", "refunded"]
    assert [event["data"]["payment"]["status"] for event in post.receiver.events] == [
        "authorized", "captured", "partially_refunded", "refunded",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("token", "outcome", "told"),
    [
        ("pm_declined", None, ["declined"]),
        ("pm_3ds_required", None, ["requires_action"]),
        ("pm_3ds_required", "approve", ["requires_action", "authorized"]),
        ("pm_3ds_required", "fail", ["requires_action", "declined"]),
        ("pm_3ds_then_declined", "approve", ["requires_action", "declined"]),
    ],
)
def test_what_becomes_of_a_card_is_told(
    shop: "Shop", post: "Post", token: str, outcome: str | None, told: list[str]
) -> None:
    payment_id = shop.authorized(payment_method=token)
    if outcome:
        client = shop.app.test_client()
        client.post(f"/book/challenges/{payment_id}", json={"outcome": outcome})

    assert post.deliver() == told


def test_a_void_is_told(shop: "Shop", post: "Post") -> None:
    shop.post(f"/v1/payments/{shop.authorized()}/void", "void")

    assert post.deliver() == ["authorized", "voided"]


def test_a_webhook_says_what_a_read_says(shop: "Shop", post: "Post") -> None:
    payment = shop.pay().get_json()
    post.deliver()

    (event,) = post.receiver.events

    assert event["id"].startswith("evt_")
    assert event["type"] == "payment.authorized"
    assert event["created_at"] == payment["updated_at"]
    assert event["data"] == {"payment": payment}


def test_a_refund_is_told_with_its_reference(shop: "Shop", post: "Post") -> None:
    path = f"/v1/payments/{captured(shop, 'pm_ok')}/refunds"
    made = shop.post(path, "r-1", {"amount_minor": 500, "reference": "RET-1"}).get_json()
    post.deliver()

    refund = post.receiver.events[-1]["data"]["refund"]

    assert refund == {name: value for name, value in made.items() if name != "payment"}
    assert refund["reference"] == "RET-1"


def test_a_refused_or_repeated_request_tells_nothing(shop: "Shop", post: "Post") -> None:
    shop.pay("key-1")
    shop.pay("key-1")
    shop.pay("key-2", currency="XYZ")
    shop.pay("key-3", payment_method="pm_500_then_ok")

    assert post.deliver() == ["authorized"]


def test_a_webhook_is_signed_as_documented(shop: "Shop", post: "Post") -> None:
    shop.pay()
    post.deliver()

    (request,) = post.receiver.requests
    moment, signature = request.headers["Provider-Signature"].split(",")
    signed = moment.removeprefix("t=").encode() + b"." + request.content

    expected = hmac.new(b"a secret for tests", signed, hashlib.sha256).hexdigest()
    assert signature == f"v1={expected}"
    assert int(moment.removeprefix("t=")) == post.clock.now_ms // 1000
    assert request.headers["Content-Type"] == "application/json"


def test_two_secrets_sign_twice_while_one_is_changed() -> None:
    both = webhooks.signature(["old", "new"], b"{}", 1)

    assert both == ",".join(
        [webhooks.signature(["old"], b"{}", 1), webhooks.signature(["new"], b"{}", 1)[4:]]
    )


@given(body=st.binary(), other=st.binary(), secret=st.text(min_size=1))
def test_another_body_has_another_signature(body: bytes, other: bytes, secret: str) -> None:
    same = webhooks.signature([secret], body, 1) == webhooks.signature([secret], other, 1)

    assert same == (body == other)


def test_a_webhook_goes_on_in_the_trace_of_the_call_that_caused_it(
    shop: "Shop", post: "Post"
) -> None:
    headers = {
        "Authorization": "Bearer sk_test_cartwright",
        "Idempotency-Key": "key-1",
        "traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01",
    }
    charge = {"amount_minor": 1, "currency": "EUR", "payment_method": "pm_3ds_required",
              "reference": "ORDER-1"}  # fmt: skip
    client = shop.app.test_client()
    payment = client.post("/v1/payments", json=charge, headers=headers).get_json()

    # Whoever decides is in no trace at all: the payment's own is the best there is.
    client.post(f"/book/challenges/{payment['id']}", json={"outcome": "approve"})
    post.deliver()

    assert [r.headers["traceparent"].split("-")[1] for r in post.receiver.requests] == [
        TRACE_ID, TRACE_ID,
    ]  # fmt: skip


@pytest.mark.parametrize("token", ["pm_webhook_late", "pm_3ds_webhook_late"])
def test_a_late_webhook_comes_late(shop: "Shop", post: "Post", token: str) -> None:
    shop.pay(payment_method=token)

    assert post.deliver() == []
    assert post.deliver(after_ms=LATE_MS - 1_000) == []
    assert len(post.deliver(after_ms=1_000)) == 1


@pytest.mark.parametrize("token", ["pm_webhook_twice", "pm_3ds_webhook_twice"])
def test_a_webhook_that_comes_twice_is_the_same_one(shop: "Shop", post: "Post", token: str) -> None:
    shop.pay(payment_method=token)

    assert len(post.deliver()) == 2
    assert len({request.content for request in post.receiver.requests}) == 1


def test_webhooks_overtake_one_another(shop: "Shop", post: "Post") -> None:
    captured(shop, "pm_webhook_out_of_order")

    assert post.deliver() == ["captured"]
    assert post.deliver(after_ms=LATE_MS) == ["captured", "authorized"]


def test_the_news_of_a_challenge_overtakes_the_challenge(shop: "Shop", post: "Post") -> None:
    payment_id = shop.authorized(payment_method="pm_3ds_webhook_out_of_order")
    shop.app.test_client().post(f"/book/challenges/{payment_id}", json={"outcome": "approve"})

    assert post.deliver() == ["authorized"]
    assert post.deliver(after_ms=LATE_MS) == ["authorized", "requires_action"]


@pytest.mark.parametrize("token", ["pm_webhook_never", "pm_3ds_webhook_never", "pm_self_test"])
def test_a_webhook_that_never_comes_is_in_the_book_all_the_same(
    shop: "Shop", post: "Post", token: str
) -> None:
    shop.pay(payment_method=token)

    assert post.deliver(after_ms=SIX_HOURS_MS) == []
    assert [webhook["deliveries"] for webhook in listed(shop)] == [[]]


@pytest.mark.parametrize(
    "failure", [500, 503, 404, 302, 101, httpx.ConnectError("refused"), httpx.ReadTimeout("late")]
)
def test_a_webhook_that_was_not_taken_is_sent_again_with_the_same_body(
    shop: "Shop", post: "Post", failure: int | Exception
) -> None:
    shop.pay()
    post.receiver.answers = [failure, failure]

    assert len(post.deliver()) == 1
    assert len(post.deliver(after_ms=499)) == 1
    assert len(post.deliver(after_ms=500)) == 2
    assert len(post.deliver(after_ms=2_000)) == 3
    assert len(post.deliver(after_ms=SIX_HOURS_MS)) == 3
    assert len({request.content for request in post.receiver.requests}) == 1


def test_every_attempt_is_in_the_book(shop: "Shop", post: "Post") -> None:
    shop.pay()
    post.receiver.answers = [503, httpx.ConnectError("refused")]
    for _ in range(3):
        post.deliver(after_ms=60_000)

    ((delivery,),) = [webhook["deliveries"] for webhook in listed(shop)]

    assert delivery["state"] == "delivered"
    assert [(attempt["status"], attempt["error"]) for attempt in delivery["attempts"]] == [
        (503, None), (None, "ConnectError"), (200, None),
    ]  # fmt: skip


def test_a_webhook_is_given_up_in_the_end(shop: "Shop", post: "Post") -> None:
    shop.pay()
    post.receiver.answers = [500] * 1_000
    began_ms = post.clock.now_ms

    # More than there is: what an attempt really took counts as well, and puts off the next.
    while post.clock.now_ms < began_ms + SIX_HOURS_MS + 5 * BACKOFF_MAX_MS:
        post.deliver(after_ms=BACKOFF_MAX_MS + 1_000)

    ((delivery,),) = [webhook["deliveries"] for webhook in listed(shop)]
    assert delivery["state"] == "given_up"
    # Once a minute for an hour, and a few more in the first.
    assert 55 <= len(post.receiver.requests) <= 70


def test_a_webhook_that_fails_holds_up_no_other(shop: "Shop", post: "Post") -> None:
    shop.pay("key-1", reference="ORDER-1")
    shop.pay("key-2", reference="ORDER-2")
    post.receiver.answers = [500]

    post.deliver()

    references = [event["data"]["payment"]["reference"] for event in post.receiver.events]
    assert references == ["ORDER-1", "ORDER-2"]


def test_nobody_is_sent_on_to_another_place(shop: "Shop", post: "Post") -> None:
    shop.pay()
    post.receiver.answers = [307]

    post.deliver()

    assert [request.url.host for request in post.receiver.requests] == ["shop.example"]


@given(attempts=st.integers(1, 10_000))
def test_every_wait_is_longer_than_the_last_and_bounded(attempts: int) -> None:
    wait, next_wait = (webhooks.retry_after_ms(n) for n in (attempts, attempts + 1))

    assert 0 < wait <= next_wait <= BACKOFF_MAX_MS


@pytest.mark.parametrize("delivery", Delivery)
def test_no_webhook_is_later_than_late(delivery: Delivery) -> None:
    delays = [webhooks.delays_ms(delivery, number, LATE_MS) for number in range(1, 5)]

    assert all(0 <= delay <= LATE_MS for planned in delays for delay in planned)
    assert all(planned for planned in delays) == (delivery is not Delivery.NEVER)


def test_a_webhook_belongs_to_the_transaction_of_its_fact(shop: "Shop", book: Book) -> None:
    shop.pay()

    with book.reading() as tx:
        facts = tx.execute("SELECT count(*) FROM log WHERE kind = 'fact'").fetchone()[0]
        told = tx.execute("SELECT count(*) FROM webhooks").fetchone()[0]
        planned = tx.execute("SELECT count(*) FROM deliveries").fetchone()[0]
    assert facts == told == planned == 1
