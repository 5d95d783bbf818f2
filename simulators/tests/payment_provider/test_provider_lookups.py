"""What a shop asks when it does not know: by key, by reference, by the moment of change."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from conftest import Shop

LONG_AGO = "2020-01-01T00:00:00Z"


def changed(shop: "Shop", query: str) -> Any:
    return shop.get(f"/v1/payments?{query}").get_json()


def test_the_answer_to_a_key_is_told_again(shop: "Shop") -> None:
    made = shop.pay("key-1").get_json()

    answer = shop.get("/v1/operations/key-1")

    assert answer.status_code == 200
    assert answer.get_json() == {
        "idempotency_key": "key-1", "status_code": 200, "body": made,
    }  # fmt: skip


def test_the_refusal_under_a_key_is_told_too(shop: "Shop") -> None:
    refusal = shop.pay("key-1", currency="XYZ")

    told = shop.get("/v1/operations/key-1").get_json()

    assert (told["status_code"], told["body"]) == (422, refusal.get_json())


@pytest.mark.parametrize("token", ["pm_timeout_without_charge", "pm_500_then_ok"])
def test_a_key_that_achieved_nothing_is_not_found(shop: "Shop", token: str) -> None:
    failed = shop.pay("key-1", payment_method=token)

    asked = shop.get("/v1/operations/key-1")

    assert failed.status_code >= 500
    assert asked.status_code == 404
    assert asked.get_json()["type"] == "urn:payment-provider:problem:operation-not-found"
    assert shop.get("/v1/payments?reference=ORDER-1").get_json() == {"payments": []}


def test_a_key_whose_answer_was_lost_tells_what_was_done(shop: "Shop") -> None:
    shop.pay("key-1", payment_method="pm_timeout_after_charge")

    told = shop.get("/v1/operations/key-1").get_json()

    assert told["body"]["status"] == "authorized"


def test_a_call_that_was_lost_on_its_way_is_repeated_safely(shop: "Shop") -> None:
    shop.pay("key-1", payment_method="pm_timeout_without_charge")

    again = shop.pay("key-1", payment_method="pm_timeout_without_charge")

    assert again.get_json()["status"] == "authorized"
    assert len(shop.book("payments")["payments"]) == 1


@pytest.mark.parametrize("key", ["a/b c", '"key"', "%2F?&#", "//x"])
def test_any_key_can_be_asked_for(shop: "Shop", key: str) -> None:
    made = shop.pay(key).get_json()

    assert shop.get(f"/v1/operations/{quote(key, safe='')}").get_json()["body"] == made


def test_payments_are_listed_in_the_order_of_their_last_change(shop: "Shop") -> None:
    ids = [shop.authorized(f"key-{n}", reference=f"ORDER-{n}") for n in range(5)]
    shop.post(f"/v1/payments/{ids[1]}/void", "void-1")

    first = changed(shop, f"updated_since={LONG_AGO}&limit=3")
    rest = changed(shop, f"updated_since={LONG_AGO}&limit=3&cursor={first['next_cursor']}")

    listed = first["payments"] + rest["payments"]
    assert [payment["id"] for payment in listed] == [ids[0], *ids[2:], ids[1]]
    assert rest["next_cursor"] is None
    assert all(payment["created_at"] <= payment["updated_at"] for payment in listed)


def test_a_payment_that_changes_between_two_pages_comes_again(shop: "Shop") -> None:
    ids = [shop.authorized(f"key-{n}", reference=f"ORDER-{n}") for n in range(3)]
    first = changed(shop, f"updated_since={LONG_AGO}&limit=2")

    shop.post(f"/v1/payments/{ids[0]}/void", "void-0")
    rest = changed(shop, f"updated_since={LONG_AGO}&cursor={first['next_cursor']}")

    assert [(p["id"], p["status"]) for p in rest["payments"]] == [
        (ids[2], "authorized"),
        (ids[0], "voided"),
    ]


def test_what_changed_at_that_very_moment_is_listed(shop: "Shop") -> None:
    made = shop.pay().get_json()

    found = changed(shop, f"updated_since={made['updated_at']}")

    assert [payment["id"] for payment in found["payments"]] == [made["id"]]
    assert changed(shop, "updated_since=2999-01-01T00:00:00Z")["payments"] == []


@pytest.mark.parametrize(
    "query",
    [
        "updated_since=yesterday",
        "updated_since=2026-01-01T00:00:00",
        "updated_since=0001-01-01T00:00:00%2B14:00",
        f"updated_since={LONG_AGO}&cursor=",
        f"updated_since={LONG_AGO}&cursor=bm90IGpzb24=",
        f"updated_since={LONG_AGO}&cursor=WyJhIiwxXQ==",
        f"updated_since={LONG_AGO}&limit=0",
        f"updated_since={LONG_AGO}&reference=ORDER-1",
        "reference=a%20b",
    ],
)
def test_an_impossible_question_is_malformed(shop: "Shop", query: str) -> None:
    answer = shop.get(f"/v1/payments?{query}")

    assert answer.status_code == 400
    assert answer.get_json()["type"] == "urn:payment-provider:problem:malformed"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/operations/key-1",
        "/v1/payments/pay_1/refunds",
        f"/v1/payments?updated_since={LONG_AGO}",
    ],
)
def test_nobody_asks_without_the_key_of_the_shop(shop: "Shop", path: str) -> None:
    assert shop.app.test_client().get(path).status_code == 401


def test_a_self_tests_payment_is_found_by_its_reference_and_in_no_list(shop: "Shop") -> None:
    shop.pay("key-1", payment_method="pm_self_test", reference="self-test-1")
    shop.pay("key-2", reference="ORDER-1")

    lists = [changed(shop, f"updated_since={LONG_AGO}"), shop.book("payments")]

    for listed in lists:
        assert [payment["reference"] for payment in listed["payments"]] == ["ORDER-1"]
    assert len(changed(shop, "reference=self-test-1")["payments"]) == 1
