"""Refunds: part by part, never more than was captured, whoever asks at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shop

PREFIX = "urn:payment-provider:problem:"


def captured(shop: "Shop", **changes: object) -> str:
    payment_id = shop.authorized("authorize", **changes)
    amount_minor = {"amount_minor": changes.get("amount_minor", 1900)}
    shop.post(f"/v1/payments/{payment_id}/capture", "capture", amount_minor)
    return payment_id


def test_a_refund_is_answered_with_itself_and_its_payment(shop: "Shop") -> None:
    payment_id = captured(shop)

    answer = shop.post(
        f"/v1/payments/{payment_id}/refunds", "key-1", {"amount_minor": 500, "reference": "RET-1"}
    )

    refund = answer.get_json()
    assert answer.status_code == 200
    assert refund["id"].startswith("re_")
    assert (refund["amount_minor"], refund["status"]) == (500, "succeeded")
    assert refund["reference"] == "RET-1"
    assert refund["payment"] == shop.get(f"/v1/payments/{payment_id}").get_json()
    assert refund["payment"]["status"] == "partially_refunded"
    assert refund["payment"]["refunded_minor"] == 500


def test_refunds_of_everything_end_the_payment(shop: "Shop") -> None:
    path = f"/v1/payments/{captured(shop)}/refunds"

    shop.post(path, "key-1", {"amount_minor": 500})
    last = shop.post(path, "key-2", {"amount_minor": 1400}).get_json()
    beyond = shop.post(path, "key-3", {"amount_minor": 1})

    assert last["payment"]["status"] == "refunded"
    assert last["payment"]["captured_minor"] == 1900
    assert beyond.status_code == 409
    assert beyond.get_json()["payment_status"] == "refunded"


def test_the_refunds_of_a_payment_are_listed(shop: "Shop") -> None:
    path = f"/v1/payments/{captured(shop)}/refunds"
    made = [shop.post(path, f"key-{n}", {"amount_minor": n}).get_json()["id"] for n in range(1, 4)]

    listed = shop.get(path).get_json()["refunds"]

    assert [refund["id"] for refund in listed] == made
    assert [refund["amount_minor"] for refund in listed] == [1, 2, 3]


def test_more_than_is_left_is_refused(shop: "Shop") -> None:
    path = f"/v1/payments/{captured(shop)}/refunds"
    shop.post(path, "key-1", {"amount_minor": 1000})

    refused = shop.post(path, "key-2", {"amount_minor": 901})

    assert refused.status_code == 422
    assert refused.get_json()["type"] == f"{PREFIX}refund-too-large"
    assert refused.get_json()["refundable_minor"] == 900


def test_only_what_was_captured_is_refunded(shop: "Shop") -> None:
    path = f"/v1/payments/{shop.authorized()}/refunds"

    assert shop.post(path, "key-2", {"amount_minor": 1}).status_code == 409


@pytest.mark.parametrize(
    "body", [{}, {"amount_minor": "1"}, {"amount_minor": 1, "reference": "a b"}, {"amount": 1}]
)
def test_a_malformed_refund_is_refused(shop: "Shop", body: object) -> None:
    path = f"/v1/payments/{captured(shop)}/refunds"

    assert shop.post(path, "key-1", body).status_code == 400


def test_a_repeated_refund_is_answered_again_and_made_once(shop: "Shop") -> None:
    path = f"/v1/payments/{captured(shop)}/refunds"

    first = shop.post(path, "key-1", {"amount_minor": 500})
    again = shop.post(path, "key-1", {"amount_minor": 500})

    assert again.data == first.data
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(shop.get(path).get_json()["refunds"]) == 1


def test_a_refund_under_a_used_key_with_another_reference_is_refused(shop: "Shop") -> None:
    path = f"/v1/payments/{captured(shop)}/refunds"
    shop.post(path, "key-1", {"amount_minor": 500, "reference": "RET-1"})

    other = shop.post(path, "key-1", {"amount_minor": 500, "reference": "RET-2"})

    assert other.get_json()["type"] == f"{PREFIX}idempotency-key-reused"


def test_twenty_threads_never_refund_more_than_was_captured(shop: "Shop") -> None:
    payment_id = captured(shop, amount_minor=1000)
    path = f"/v1/payments/{payment_id}/refunds"

    with ThreadPoolExecutor(20) as threads:
        answers = list(
            threads.map(lambda n: shop.post(path, f"key-{n}", {"amount_minor": 300}), range(20))
        )

    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [422] * 17
    assert shop.get(f"/v1/payments/{payment_id}").get_json()["refunded_minor"] == 900


def test_twenty_threads_with_one_key_refund_once(shop: "Shop") -> None:
    path = f"/v1/payments/{captured(shop)}/refunds"

    with ThreadPoolExecutor(20) as threads:
        answers = list(
            threads.map(lambda _: shop.post(path, "key-1", {"amount_minor": 300}), range(20))
        )

    assert len({answer.data for answer in answers}) == 1
    assert len(shop.get(path).get_json()["refunds"]) == 1


def test_capture_and_void_at_once_have_one_winner(shop: "Shop") -> None:
    payment_id = shop.authorized()

    def move(step: str) -> int:
        body = {"amount_minor": 1900} if step == "capture" else {}
        return shop.post(f"/v1/payments/{payment_id}/{step}", step, body).status_code

    with ThreadPoolExecutor(2) as threads:
        statuses = sorted(threads.map(move, ["capture", "void"]))

    payment = shop.get(f"/v1/payments/{payment_id}").get_json()
    assert statuses == [200, 409]
    assert payment["captured_minor"] + payment["voided_minor"] == payment["authorized_minor"]
