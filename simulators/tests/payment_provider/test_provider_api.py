"""The provider's face to the shop, over a real book."""

from typing import TYPE_CHECKING

import pytest
from simulators.payment_provider.rules.behaviours import (
    BEHAVIOURS,
    DECLINES,
    TEST_CARDS,
    WELL_KNOWN_TOKENS,
)
from simulators.payment_provider.storage.book import Book
from werkzeug.test import TestResponse

if TYPE_CHECKING:
    from conftest import Shop

VISA = {"card_number": "4242 4242 4242 4242", "exp_month": 12, "exp_year": 2099, "cvc": "123"}


def problem_of(response: TestResponse) -> tuple[int, str]:
    """Status and kind of problem, having checked that it is one."""
    assert response.content_type == "application/problem+json"
    body = response.get_json()
    assert body["status"] == response.status_code
    assert body["title"]
    return response.status_code, body["type"].removeprefix("urn:payment-provider:problem:")


def test_a_payment_is_authorized_and_can_be_read_again(shop: "Shop") -> None:
    made = shop.pay().get_json()

    assert made["status"] == "authorized"
    assert (made["amount_minor"], made["currency"], made["reference"]) == (1900, "EUR", "ORDER-1")
    assert "decline_code" not in made
    assert shop.get(f"/v1/payments/{made['id']}").get_json() == made
    assert shop.get("/v1/payments?reference=ORDER-1").get_json() == {"payments": [made]}


def test_an_authorized_payment_is_captured(shop: "Shop") -> None:
    payment_id = shop.authorized()

    captured = shop.post(f"/v1/payments/{payment_id}/capture", "key-2", {"amount_minor": 1900})

    assert captured.get_json()["status"] == "captured"
    assert captured.get_json()["captured_minor"] == 1900


@pytest.mark.parametrize("body", [None, {}])
def test_an_authorized_payment_is_voided(shop: "Shop", body: object) -> None:
    payment_id = shop.authorized()

    voided = shop.post(f"/v1/payments/{payment_id}/void", "key-2", body)

    assert (voided.get_json()["status"], voided.get_json()["voided_minor"]) == ("voided", 1900)


@pytest.mark.parametrize(
    ("token", "decline_code"),
    [
        ("pm_declined", "generic_decline"),
        *((f"pm_{reason}", reason) for reason in DECLINES),
    ],
)
def test_a_declining_token_declines(shop: "Shop", token: str, decline_code: str) -> None:
    response = shop.pay(payment_method=token)

    assert response.status_code == 200
    assert response.get_json()["status"] == "declined"
    assert response.get_json()["decline_code"] == decline_code
    assert response.get_json()["authorized_minor"] == 0


def test_a_slow_token_authorizes(shop: "Shop") -> None:
    assert shop.pay(payment_method="pm_slow").get_json()["status"] == "authorized"


def test_a_lost_answer_is_found_with_the_same_key(shop: "Shop") -> None:
    lost = shop.pay(payment_method="pm_timeout_after_charge")
    truth = shop.pay(payment_method="pm_timeout_after_charge")

    assert problem_of(lost) == (504, "about:blank")
    assert truth.get_json()["status"] == "authorized"
    assert shop.get("/v1/payments?reference=ORDER-1").get_json()["payments"] == [truth.get_json()]


def test_a_failed_call_leaves_no_payment_and_the_next_one_succeeds(shop: "Shop") -> None:
    failed = shop.pay(payment_method="pm_500_then_ok")
    found_after_failure = shop.get("/v1/payments?reference=ORDER-1").get_json()["payments"]
    repeated = shop.pay(payment_method="pm_500_then_ok")

    assert problem_of(failed) == (500, "about:blank")
    assert found_after_failure == []
    assert repeated.get_json()["status"] == "authorized"


def test_a_failed_call_of_one_order_does_not_spend_the_failure_of_another(shop: "Shop") -> None:
    shop.pay("key-1", payment_method="pm_500_then_ok", reference="ORDER-1")

    other = shop.pay("key-2", payment_method="pm_500_then_ok", reference="ORDER-2")

    assert other.status_code == 500


def test_every_behaviour_has_a_well_known_token() -> None:
    assert set(WELL_KNOWN_TOKENS) == {f"pm_{name}" for name in BEHAVIOURS}


@pytest.mark.parametrize("number", TEST_CARDS)
def test_a_test_card_becomes_a_token_that_behaves_like_it(shop: "Shop", number: str) -> None:
    token = shop.post("/v1/tokens", "key-1", {**VISA, "card_number": number}).get_json()

    first = shop.pay("key-2", payment_method=token["token"])
    twin = shop.pay(
        "key-3", payment_method=f"pm_{TEST_CARDS[number].behaviour}", reference="ORDER-2"
    )

    assert token["last4"] == number[-4:]
    assert first.status_code == twin.status_code
    assert first.get_json().get("decline_code") == twin.get_json().get("decline_code")


def test_a_card_past_its_date_is_declined_as_expired(shop: "Shop") -> None:
    token = shop.post("/v1/tokens", "key-1", {**VISA, "exp_year": 2020}).get_json()["token"]

    assert shop.pay("key-2", payment_method=token).get_json()["decline_code"] == "expired_card"


def test_a_card_that_is_no_test_card_is_refused_and_not_echoed(shop: "Shop") -> None:
    response = shop.post("/v1/tokens", "key-1", {**VISA, "card_number": "4012888888881881"})

    assert problem_of(response) == (422, "not-a-test-card")
    assert b"4012" not in response.data


@pytest.mark.parametrize("number", ["4242424242424241", "4242", "not a number", 4242424242424242])
def test_a_mistyped_card_number_is_malformed_and_not_echoed(shop: "Shop", number: object) -> None:
    response = shop.post("/v1/tokens", "key-1", {**VISA, "card_number": number})

    assert problem_of(response) == (400, "malformed")
    assert response.get_json()["errors"][0]["pointer"] == "/card_number"
    assert str(number).encode() not in response.data


def test_an_unknown_token_is_refused_and_nothing_is_charged(shop: "Shop") -> None:
    response = shop.pay(payment_method="pm_never_minted")

    assert problem_of(response) == (400, "unknown-payment-method")
    assert response.get_json()["code"] == "resource_missing"
    assert shop.book("payments")["payments"] == []


@pytest.mark.parametrize("end", ["capture", "void"])
@pytest.mark.parametrize("next_step", ["capture", "void"])
def test_a_payment_that_has_ended_refuses_every_step(
    shop: "Shop", end: str, next_step: str
) -> None:
    body = {"capture": {"amount_minor": 1900}, "void": None}
    payment_id = shop.authorized()
    shop.post(f"/v1/payments/{payment_id}/{end}", "key-2", body[end])

    refused = shop.post(f"/v1/payments/{payment_id}/{next_step}", "key-3", body[next_step])

    assert problem_of(refused) == (409, "illegal-transition")
    assert refused.get_json()["payment_status"] == ("captured" if end == "capture" else "voided")


def test_a_declined_payment_is_not_captured(shop: "Shop") -> None:
    payment_id = shop.authorized(payment_method="pm_declined")

    refused = shop.post(f"/v1/payments/{payment_id}/capture", "key-2", {"amount_minor": 1900})

    assert problem_of(refused) == (409, "illegal-transition")


def test_a_capture_above_the_authorization_is_refused(shop: "Shop") -> None:
    payment_id = shop.authorized()

    refused = shop.post(f"/v1/payments/{payment_id}/capture", "key-2", {"amount_minor": 1901})

    assert problem_of(refused) == (422, "amount-too-large")


def test_an_unknown_payment_is_not_found(shop: "Shop") -> None:
    assert problem_of(shop.get("/v1/payments/pay_0")) == (404, "payment-not-found")
    assert problem_of(shop.post("/v1/payments/pay_0/void", "key-1")) == (404, "payment-not-found")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"amount_minor": "1900"}, "/amount_minor"),
        ({"amount_minor": 19.5}, "/amount_minor"),
        ({"amount_minor": 2**63}, "/amount_minor"),
        ({"currency": "eur"}, "/currency"),
        ({"payment_method": "4242424242424242"}, "/payment_method"),
        ({"reference": ""}, "/reference"),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_a_malformed_charge_is_told_where(
    shop: "Shop", change: dict[str, object], pointer: str
) -> None:
    response = shop.pay(**change)

    assert problem_of(response) == (400, "malformed")
    assert [error["pointer"] for error in response.get_json()["errors"]] == [pointer]


@pytest.mark.parametrize("amount_minor", [0, -1, 100_000_000])
def test_an_amount_out_of_range_is_refused(shop: "Shop", amount_minor: int) -> None:
    assert problem_of(shop.pay(amount_minor=amount_minor)) == (422, "amount-out-of-range")


def test_an_unsupported_currency_is_refused(shop: "Shop") -> None:
    assert problem_of(shop.pay(currency="XYZ")) == (422, "unsupported-currency")


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic sk_test_cartwright", "Bearer é"])
def test_a_wrong_api_key_is_refused(shop: "Shop", header: str) -> None:
    headers = {"Authorization": header.encode().decode("latin-1"), "Idempotency-Key": "key-1"}

    response = shop.app.test_client().get("/v1/payments?reference=ORDER-1", headers=headers)

    assert problem_of(response) == (401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_errors_of_http_itself_are_problems_too(shop: "Shop") -> None:
    wrong_method = shop.app.test_client().delete("/v1/payments")

    assert problem_of(shop.get("/nowhere")) == (404, "about:blank")
    assert problem_of(wrong_method) == (405, "about:blank")
    assert "POST" in wrong_method.headers["Allow"]


def test_a_body_that_is_not_json_is_refused(shop: "Shop") -> None:
    headers = {"Authorization": "Bearer sk_test_cartwright", "Idempotency-Key": "key-1"}
    client = shop.app.test_client()

    form = client.post("/v1/payments", data={"amount_minor": 1}, headers=headers)
    broken = client.post(
        "/v1/payments", data=b"{", headers={**headers, "Content-Type": "application/json"}
    )

    assert problem_of(form) == (415, "about:blank")
    assert problem_of(broken) == (400, "malformed")


def test_a_body_above_64_kib_is_refused(shop: "Shop") -> None:
    assert problem_of(shop.pay(reference="x" * 65_536)) == (413, "about:blank")


def test_a_search_without_a_reference_is_malformed(shop: "Shop") -> None:
    assert problem_of(shop.get("/v1/payments")) == (400, "malformed")


def test_a_bug_is_told_without_detail(shop: "Shop", book: Book) -> None:
    book.close()

    response = shop.pay()

    assert problem_of(response) == (500, "about:blank")
    assert set(response.get_json()) == {"type", "title", "status"}
