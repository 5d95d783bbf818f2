"""A repeated POST is answered again, never done again."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from simulators.payment_provider.storage.book import Book

if TYPE_CHECKING:
    from conftest import Shop


def test_the_same_key_and_body_give_the_same_bytes_and_one_payment(shop: "Shop") -> None:
    first = shop.pay("key-1")
    again = shop.pay("key-1")

    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(shop.book("payments")["payments"]) == 1


def test_the_order_of_members_does_not_make_another_body(shop: "Shop") -> None:
    first = shop.pay("key-1")
    body = dict(reversed(first.get_json().items()))
    wanted = ("reference", "payment_method", "currency", "amount_minor")

    again = shop.post("/v1/payments", "key-1", {name: body[name] for name in wanted})

    assert again.data == first.data


def test_a_refusal_is_answered_again_too(shop: "Shop") -> None:
    first = shop.pay("key-1", payment_method="pm_never_minted")
    again = shop.pay("key-1", payment_method="pm_never_minted")

    assert (again.status_code, again.data) == (400, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.content_type == "application/problem+json"


def test_a_repeated_capture_is_answered_as_the_first(shop: "Shop") -> None:
    path = f"/v1/payments/{shop.authorized()}/capture"

    first = shop.post(path, "key-2", {"amount_minor": 1900})
    again = shop.post(path, "key-2", {"amount_minor": 1900})

    assert (again.status_code, again.data) == (200, first.data)


def test_a_key_used_for_another_body_is_refused(shop: "Shop") -> None:
    shop.pay("key-1")

    other = shop.pay("key-1", amount_minor=1901)

    assert other.status_code == 422
    assert other.get_json()["type"] == "urn:payment-provider:problem:idempotency-key-reused"
    assert len(shop.book("payments")["payments"]) == 1


def test_a_key_used_for_another_operation_is_refused(shop: "Shop") -> None:
    payment_id = shop.authorized("key-1")

    assert shop.post(f"/v1/payments/{payment_id}/void", "key-1").status_code == 422


def test_a_key_remembers_no_more_of_a_card_than_its_last_four_digits(shop: "Shop") -> None:
    card = {"exp_month": 12, "exp_year": 2099, "cvc": "123"}

    first = shop.post("/v1/tokens", "key-1", {**card, "card_number": "4242424242424242"})
    twin = shop.post("/v1/tokens", "key-1", {**card, "card_number": "4000020000004242"})

    assert twin.data == first.data


def test_a_malformed_request_does_not_use_up_its_key(shop: "Shop") -> None:
    shop.pay("key-1", currency="eur")

    assert shop.pay("key-1").get_json()["status"] == "authorized"


def test_another_key_for_the_same_reference_is_a_second_payment(shop: "Shop") -> None:
    first = shop.pay("key-1").get_json()
    second = shop.pay("key-2").get_json()

    assert first["id"] != second["id"]
    assert shop.book("summary")["references_charged_more_than_once"] == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "kéy"])
def test_a_key_that_is_missing_or_odd_is_refused(shop: "Shop", key: str) -> None:
    response = shop.pay(key)

    assert response.status_code == 400
    assert response.get_json()["type"] == "urn:payment-provider:problem:idempotency-key-missing"


def test_a_quoted_key_is_the_same_as_a_bare_one(shop: "Shop") -> None:
    first = shop.pay('"key-1"')

    assert shop.pay("key-1").data == first.data


def test_ten_threads_with_one_key_make_one_payment(shop: "Shop") -> None:
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: shop.pay("key-1"), range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.data for answer in answers}) == 1
    assert len(shop.book("payments")["payments"]) == 1
    assert [call["replayed"] for call in shop.book("calls")["calls"]].count(False) == 1


def test_a_key_outlives_the_book_being_closed(shop: "Shop", book: Book, tmp_path: Path) -> None:
    first = shop.pay("key-1")
    book.close()
    reopened = Book(tmp_path)

    again = shop.over(reopened).pay("key-1")

    assert again.data == first.data
    reopened.close()
