from typing import TYPE_CHECKING

import httpx
import pytest
from common.auth import Role
from common.ids import new_id
from common.testing import bearer
from flask.testing import FlaskClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Checkout, FakeProvider

REFUND = {"amount_minor": 500, "reason": "a scratch on the mug"}


@pytest.fixture
def captured(checkout: "Checkout") -> "Checkout":
    checkout.hear(checkout.reserved())
    checkout.work()
    checkout.hear(checkout.confirmed())
    checkout.work()
    return checkout


def test_staff_see_the_payment_of_an_order(client: FlaskClient, checkout: "Checkout") -> None:
    checkout.hear(checkout.reserved())

    answer = client.get(f"/payments/{checkout.order_id}", headers=bearer(Role.STAFF, "sam"))

    assert answer.status_code == 200
    shown = dict(answer.get_json())
    assert shown.pop("created_at") == shown.pop("updated_at")
    assert shown == {
        "order_id": checkout.order_id,
        "payment_id": checkout.payment.id,
        "status": "initiated",
        "amount_minor": 1999,
        "currency": "USD",
        "decline_code": None,
        "captured_minor": 0,
        "refunded_minor": 0,
        "next_action": None,
        "refunds": [],
    }


def test_a_declined_payment_says_why(
    client: FlaskClient, checkout: "Checkout", staff: dict[str, str]
) -> None:
    checkout.hear(checkout.reserved(payment_method="pm_declined"))
    checkout.work()

    answer = client.get(f"/payments/{checkout.order_id}", headers=staff)

    assert answer.json
    assert (answer.json["status"], answer.json["decline_code"]) == ("declined", "generic_decline")


def test_an_order_that_nobody_heard_of_has_no_payment(
    client: FlaskClient, checkout: "Checkout", staff: dict[str, str]
) -> None:
    answer = client.get(f"/payments/{checkout.order_id}", headers=staff)

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert answer.json
    assert answer.json["type"] == "/problems/payment-not-found"


# --- Whose payment it is


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.GUEST])
def test_shoppers_read_their_own_payments_only(
    client: FlaskClient, checkout: "Checkout", role: Role
) -> None:
    checkout.hear(checkout.reserved())
    path = f"/payments/{checkout.order_id}"

    assert client.get(path).status_code == 401
    assert client.get(path, headers=bearer(role, "customer-1")).status_code == 200
    foreign = client.get(path, headers=bearer(role, "customer-2"))
    unknown = client.get(f"/payments/{new_id()}", headers=bearer(role, "customer-2"))
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert foreign.json
    assert foreign.json["type"] == "/problems/payment-not-found"


def test_a_payment_of_nobody_known_is_for_staff_only(
    client: FlaskClient, checkout: "Checkout", staff: dict[str, str]
) -> None:
    checkout.hear(checkout.cancellation())
    path = f"/payments/{checkout.order_id}"

    assert client.get(path, headers=bearer(Role.CUSTOMER, "customer-1")).status_code == 404
    assert client.get(path, headers=staff).status_code == 200
    checkout.hear(checkout.reserved())
    assert client.get(path, headers=bearer(Role.CUSTOMER, "customer-1")).status_code == 200


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.GUEST, Role.SERVICE])
def test_only_staff_see_the_books_and_give_money_back(
    client: FlaskClient, captured: "Checkout", role: Role
) -> None:
    headers = bearer(role, "customer-1") | {"Idempotency-Key": "key-1"}
    refund = f"/payments/{captured.order_id}/refunds"

    assert client.get("/payments", headers=headers).status_code == 403
    assert client.get("/reconciliation", headers=headers).status_code == 403
    assert client.post(refund, json=REFUND, headers=headers).status_code == 403
    assert captured.work() == 0


def test_a_shopper_sees_what_they_have_to_do_while_it_helps(
    client: FlaskClient, checkout: "Checkout"
) -> None:
    owner = bearer(Role.CUSTOMER, "customer-1")
    path = f"/payments/{checkout.order_id}"
    checkout.hear(checkout.reserved(payment_method="pm_3ds_required"))
    checkout.work()

    shown = client.get(path, headers=owner).get_json()
    assert shown["next_action"] == {
        "type": "redirect",
        "url": "https://provider.example/3ds/pay_1?key=secret",
        "expires_at": "2026-01-01T00:15:00+00:00",
    }
    checkout.hear(checkout.cancellation())
    assert client.get(path, headers=owner).get_json()["next_action"] is None


# --- Refunds by staff


def test_staff_give_money_back(
    client: FlaskClient, captured: "Checkout", staff: dict[str, str]
) -> None:
    path = f"/payments/{captured.order_id}"

    answer = client.post(
        f"{path}/refunds", json=REFUND, headers=staff | {"Idempotency-Key": "key-1"}
    )
    captured.work()

    assert answer.status_code == 202
    assert answer.headers["Location"] == path
    assert answer.json
    assert (answer.json["status"], answer.json["amount_minor"]) == ("requested", 500)
    shown = client.get(path, headers=staff).get_json()
    assert (shown["status"], shown["refunded_minor"]) == ("partially_refunded", 500)
    assert [one["status"] for one in shown["refunds"]] == ["succeeded"]
    assert captured.answers()[-1] == {
        "amount_minor": 500, "currency": "USD", "reason": "a scratch on the mug",
    }  # fmt: skip


def test_the_same_refund_sent_twice_is_one(
    client: FlaskClient, captured: "Checkout", staff: dict[str, str]
) -> None:
    path = f"/payments/{captured.order_id}/refunds"
    headers = staff | {"Idempotency-Key": "key-1"}

    first = client.post(path, json=REFUND, headers=headers)
    second = client.post(path, json=REFUND, headers=headers)
    other = client.post(path, json=REFUND | {"amount_minor": 501}, headers=headers)

    assert first.data == second.data
    assert other.status_code == 422
    captured.work()
    assert captured.view.balance.refunded_minor == 500


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"amount_minor": 2000}, 409),
        ({"amount_minor": 0}, 400),
        ({"amount_minor": 2**53}, 400),
        ({"amount_minor": 5.0}, 400),
        ({"amount_minor": "500"}, 400),
        ({"reason": ""}, 400),
        ({"reason": " padded "}, 400),
        ({"reason": "a\nb"}, 400),
        ({"reason": "x" * 201}, 400),
        ({"currency": "USD"}, 400),
        ({"reason": "to card 4242 4242 4242 4242"}, 422),
        ({"reason": "x" * 5000}, 413),
    ],
    ids=repr,
)
def test_what_cannot_be_refunded_is_refused(
    client: FlaskClient,
    captured: "Checkout",
    staff: dict[str, str],
    changes: dict[str, object],
    status: int,
) -> None:
    answer = client.post(
        f"/payments/{captured.order_id}/refunds",
        json=REFUND | changes,
        headers=staff | {"Idempotency-Key": "key-1"},
    )

    assert answer.status_code == status
    assert "4242" not in answer.text
    assert captured.view.refunds == []


def test_what_was_not_captured_cannot_be_refunded(
    client: FlaskClient, checkout: "Checkout", staff: dict[str, str]
) -> None:
    checkout.hear(checkout.reserved())

    answer = client.post(
        f"/payments/{checkout.order_id}/refunds",
        json=REFUND,
        headers=staff | {"Idempotency-Key": "key-1"},
    )

    assert answer.status_code == 409
    assert answer.json
    assert answer.json["type"] == "/problems/not-refundable"


def test_a_refund_needs_a_key(
    client: FlaskClient, captured: "Checkout", staff: dict[str, str]
) -> None:
    path = f"/payments/{captured.order_id}/refunds"

    assert client.post(path, json=REFUND, headers=staff).status_code == 400


# --- What staff watch


def test_payments_are_listed_page_by_page(
    client: FlaskClient, new_checkout: "Callable[[], Checkout]", staff: dict[str, str]
) -> None:
    checkouts = [new_checkout() for _ in range(3)]
    for one in checkouts:
        one.hear(one.reserved())

    first = client.get("/payments?limit=2", headers=staff).get_json()
    second = client.get(f"/payments?limit=2&cursor={first['next_cursor']}", headers=staff)

    listed = [item["order_id"] for item in first["items"] + second.get_json()["items"]]
    assert listed == [one.order_id for one in reversed(checkouts)]
    assert second.get_json()["next_cursor"] is None


@pytest.mark.parametrize(
    "query",
    ["attention=yes", "limit=0", "limit=101", "limit=1&limit=2", "cursor=x", "cursor=WyJ4Il0"],
)
def test_a_query_that_is_not_ours_is_refused(
    client: FlaskClient, staff: dict[str, str], query: str
) -> None:
    assert client.get(f"/payments?{query}", headers=staff).status_code == 400


def test_a_refused_question_calls_for_attention(
    client: FlaskClient,
    checkout: "Checkout",
    new_checkout: "Callable[[], Checkout]",
    provider: "FakeProvider",
    staff: dict[str, str],
) -> None:
    other = new_checkout()
    checkout.hear(checkout.reserved())
    provider.before = [lambda: httpx.Response(403)]
    checkout.work()
    other.hear(other.reserved())

    (item,) = client.get("/payments?attention=true", headers=staff).get_json()["items"]

    assert item["order_id"] == checkout.order_id
    assert item["waits_for"]["outcome"] == "refused"
    assert item["waits_for"]["attempts"] == 1
    assert "403" in item["waits_for"]["last_error"]


def test_staff_see_what_the_books_do_not_agree_about(
    client: FlaskClient, checkout: "Checkout", provider: "FakeProvider", staff: dict[str, str]
) -> None:
    assert client.get("/reconciliation", headers=staff).get_json() == {
        "last_run": None,
        "open_differences": {"items": [], "next_cursor": None},
    }
    for _ in range(3):
        provider.add(new_id(), "captured")

    checkout.compare_books()

    first = client.get("/reconciliation?limit=2", headers=staff).get_json()
    assert first["last_run"]["differences"] == 3
    cursor = first["open_differences"]["next_cursor"]
    second = client.get(f"/reconciliation?cursor={cursor}", headers=staff).get_json()
    items = first["open_differences"]["items"] + second["open_differences"]["items"]
    assert [item["provider_payment_id"] for item in items] == ["pay_1", "pay_2", "pay_3"]


def test_what_is_no_order_id_is_no_path(client: FlaskClient, staff: dict[str, str]) -> None:
    assert client.get("/payments/1", headers=staff).status_code == 404


def test_nothing_is_changed_by_http(client: FlaskClient, staff: dict[str, str]) -> None:
    assert client.post(f"/payments/{new_id()}", headers=staff).status_code == 405
